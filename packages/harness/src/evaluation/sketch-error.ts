import { TensorSketch } from '@palimpsest/sketch';
import { Rng } from '@palimpsest/tensor-core';
import { lineChart } from '../report/charts.js';
import type { Evaluation } from './suite.js';

export interface SketchSize {
  readonly sketchDims: readonly number[];
  readonly trials: number;
}

const DIMENSION = 64;
const DEGREE = 2;

/**
 * Error of TensorSketch on the degree-2 polynomial kernel as the sketch grows, beside the bound of Pham & Pagh (2013):
 * the variance is at most 3^degree / m for unit vectors.
 */
export function sketchError({ sketchDims, trials }: SketchSize): Evaluation {
  return {
    name: 'sketch/kernel-error',
    system: 'sketch',
    title: 'TensorSketch: kernel error against sketch length',
    async run({ seed, signal, progress }) {
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
      const last = rows.at(-1)!;
      return {
        summary: `Over ${trials} pairs of unit vectors and tables, the root mean square error of the degree-${DEGREE} kernel falls with the square root of the sketch length, to ${last.rms.toFixed(4)} at ${last.sketchDim}; the bound of the theory there is ${bound(last.sketchDim).toFixed(4)}.`,
        passed: rows.every(({ sketchDim, rms }) => rms < bound(sketchDim)),
        config: { dimension: DIMENSION, degree: DEGREE, trials, sketchDims },
        metrics: rows.map(({ sketchDim, rms }) => ({
          name: `error at sketch length ${sketchDim}`,
          value: rms,
          unit: 'RMS',
          samples: trials,
          higherIsBetter: false,
        })),
        charts: [
          lineChart(
            rows.flatMap(({ sketchDim, rms }) => [
              { x: sketchDim, y: rms, series: 'measured' },
              { x: sketchDim, y: bound(sketchDim), series: 'bound' },
            ]),
            {
              title: 'Error of the sketched kernel',
              xTitle: 'sketch length m',
              yTitle: 'root mean square error',
              xScale: 'log',
              yScale: 'log',
            },
          ),
        ],
      };
    },
  };
}

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
