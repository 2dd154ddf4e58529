import { defineTask } from '@palimpsest/lm';
import { TensorSketch } from '@palimpsest/sketch';
import { Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';

const options = z.strictObject({
  sketchDims: z.array(z.int().min(1)).default([64, 128, 256, 512, 1024]).describe('sketch lengths m'),
  trials: z.int().min(1).default(200).describe('pairs of unit vectors, each with tables of its own'),
});

const DIMENSION = 64;
const DEGREE = 2;

/**
 * Error of TensorSketch on the degree-2 polynomial kernel as the sketch grows, beside the bound of Pham & Pagh (2013):
 * the variance is at most 3^degree / m for unit vectors.
 */
export const sketchError = defineTask({
  name: 'sketch-error',
  family: 'library',
  title: 'TensorSketch: kernel error against sketch length',
  description:
    'The root mean square error of the sketched degree-2 kernel of random unit vectors; theory bounds it by the square root of 9 / m, and it must fall accordingly.',
  options,
  contenders: 'none',
  headline: { metric: 'error', unit: 'RMS', higherIsBetter: false },
  async run({ seed, signal, progress }, { sketchDims, trials }) {
    const rng = Rng.fromSeed(seed);
    const rows = sketchDims.map((sketchDim, index) => {
      signal?.throwIfAborted();
      progress(index / sketchDims.length, `sketch length ${sketchDim}`);
      const squares = Array.from({ length: trials }, (_, trial) =>
        squaredError(rng, sketchDim, seed + trial),
      );
      return { sketchDim, rms: Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / trials) };
    });
    const bound = (sketchDim: number) => Math.sqrt(3 ** DEGREE / sketchDim);
    const points = (value: (row: (typeof rows)[number]) => number) =>
      rows.map((row): [number, number] => [row.sketchDim, value(row)]);
    const axes = { xTitle: 'sketch length m', yTitle: 'root mean square error' };
    return {
      passed: rows.every(({ sketchDim, rms }) => rms < bound(sketchDim)),
      metrics: rows
        .map(({ sketchDim, rms }) => ({
          name: 'error',
          value: rms,
          unit: 'RMS',
          slice: { 'sketch length': sketchDim },
          samples: trials,
          higherIsBetter: false,
        }))
        .reverse(),
      curves: [
        { name: 'measured', ...axes, points: points(({ rms }) => rms) },
        { name: 'bound', ...axes, points: points(({ sketchDim }) => bound(sketchDim)) },
      ],
    };
  },
});

/** Squared error of one sketched kernel value, for two random unit vectors with a random angle. */
function squaredError(rng: Rng, sketchDim: number, seed: number): number {
  const sketch = new TensorSketch({ dim: DIMENSION, sketchDim, degree: DEGREE, seed });
  const first = unit(rng);
  const mixed = unit(rng).map((value, index) => value + 2 * rng.uniform() * first[index]!);
  const second = normalise(mixed);
  const [a, b] = [sketch.transform(first), sketch.transform(second)];
  return (dot(a, b) - dot(first, second) ** DEGREE) ** 2;
}

function unit(rng: Rng): Float64Array {
  return normalise(Float64Array.from({ length: DIMENSION }, () => rng.normal()));
}

function normalise(vector: Float64Array): Float64Array {
  const norm = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / norm);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0);
}
