import { describe, expect, test } from 'vitest';
import {
  kaimingNormal,
  kaimingUniform,
  type NDArray,
  normalInit,
  orthogonalInit,
  Rng,
  uniformInit,
  xavierNormal,
  xavierUniform,
} from '../src/index.js';

const rootMeanSquare = ({ data }: NDArray<'float32'>) =>
  Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
const largest = ({ data }: NDArray<'float32'>) => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** Shape, and the spread that the formulas give for it: in = 50, out = 120, and a kernel of 3 x 5. */
const dense = { shape: [120, 50], fanIn: 50, fanOut: 120 };
const kernel = { shape: [40, 20, 3, 5], fanIn: 300, fanOut: 600 };

describe.each([dense, kernel])('weights of shape $shape', ({ shape, fanIn, fanOut }) => {
  test.each([
    ['xavierUniform', xavierUniform(Rng.fromSeed(1), shape), Math.sqrt(6 / (fanIn + fanOut))],
    [
      'xavierUniform with gain',
      xavierUniform(Rng.fromSeed(2), shape, 3),
      3 * Math.sqrt(6 / (fanIn + fanOut)),
    ],
    ['kaimingUniform', kaimingUniform(Rng.fromSeed(3), shape), Math.sqrt(6 / fanIn)],
    ['kaimingUniform with gain', kaimingUniform(Rng.fromSeed(4), shape, 1), Math.sqrt(3 / fanIn)],
    ['uniformInit', uniformInit(Rng.fromSeed(5), shape, 0.25), 0.25],
  ])('%s fills its bounds evenly', (_name, weight, bound) => {
    expect(weight.shape).toEqual(shape);
    expect(largest(weight)).toBeLessThanOrEqual(Math.fround(bound));
    expect(largest(weight)).toBeGreaterThan(0.995 * bound);
    expect(Math.abs(rootMeanSquare(weight) / (bound / Math.sqrt(3)) - 1)).toBeLessThan(0.03);
  });

  test.each([
    ['xavierNormal', xavierNormal(Rng.fromSeed(1), shape), Math.sqrt(2 / (fanIn + fanOut))],
    ['kaimingNormal', kaimingNormal(Rng.fromSeed(2), shape), Math.sqrt(2 / fanIn)],
    ['kaimingNormal with gain', kaimingNormal(Rng.fromSeed(3), shape, 1), Math.sqrt(1 / fanIn)],
    ['normalInit', normalInit(Rng.fromSeed(4), shape, 0.02), 0.02],
  ])('%s has its deviation', (_name, weight, deviation) => {
    expect(weight.shape).toEqual(shape);
    expect(Math.abs(rootMeanSquare(weight) / deviation - 1)).toBeLessThan(0.04);
    expect(largest(weight)).toBeGreaterThan(2.5 * deviation);
  });
});

describe('orthogonal matrices', () => {
  test.each([
    [5, 5, 1],
    [7, 19, 1],
    [33, 8, 2],
    [1, 4, 1],
  ])('%i x %i, gain %f', (rows, columns, gain) => {
    const { data, shape } = orthogonalInit(Rng.fromSeed(3), rows, columns, gain);
    expect(shape).toEqual([rows, columns]);
    const at = (row: number, column: number) => data[row * columns + column]!;
    const short = Math.min(rows, columns);
    const long = Math.max(rows, columns);
    for (let i = 0; i < short; i++) {
      for (let j = 0; j <= i; j++) {
        let dot = 0;
        for (let k = 0; k < long; k++) dot += rows <= columns ? at(i, k) * at(j, k) : at(k, i) * at(k, j);
        expect(Math.abs(dot - (i === j ? gain * gain : 0))).toBeLessThan(1e-6 * gain * gain);
      }
    }
  });

  test('signs are as often positive as negative', () => {
    const rng = Rng.fromSeed(8);
    const corner = Array.from({ length: 400 }, () => orthogonalInit(rng, 3, 3).data[0]! > 0);
    expect(Math.abs(corner.filter(Boolean).length - 200)).toBeLessThan(60);
  });
});

test('a weight without input axis is refused', () => {
  expect(() => xavierNormal(Rng.fromSeed(1), [3])).toThrow(/at least the axes \[out, in\].*\[3\]/);
});
