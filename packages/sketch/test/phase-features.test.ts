import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountSketch, circularConvolve, phaseFeatures, relativeScore, toComplex } from '../src/index.js';
import { normals, relativeError } from './support/statistics.js';

const dim = 7;
const phases = { theta: 0.31, omega: 0.17 };
const [q, k] = [normals(dim, 1), normals(dim, 2)];
const query = (position: number, omega: number | Float64Array = phases.omega) =>
  phaseFeatures(q, { theta: 0.31, omega, position, role: 'query' });
const key = (position: number, omega: number | Float64Array = phases.omega) =>
  phaseFeatures(k, { theta: -0.22, omega, position, role: 'key' });

describe('phase features (property 18)', () => {
  it('score by the distance of positions only', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), fc.constantFrom(1, 1000, 100_000), (t, s, shift) => {
        for (const omega of [0.17, normals(dim, 3)]) {
          const score = relativeScore(query(t, omega), key(s, omega));
          expect(
            Math.abs(relativeScore(query(t + shift, omega), key(s + shift, omega)) - score),
          ).toBeLessThan(1e-10);
        }
      }),
    );
    expect(Math.abs(relativeScore(query(5), key(3)) - relativeScore(query(5), key(4)))).toBeGreaterThan(1e-3);
  });

  it('have the score of A.5', () => {
    const expected = q.reduce(
      (sum, value, c) => sum + value * k[c]! * Math.cos(0.31 * value - 0.22 * k[c]! - 0.17 * (9 - 4)),
      0,
    );
    expect(relativeScore(query(9), key(4))).toBeCloseTo(expected, 12);
  });

  it('keep the shift invariance in float32 and through a convolution of sketches', () => {
    const sketch = new CountSketch({ dim, sketchDim: 32, seed: 42 });
    const feature = (t: number, s: number) => {
      const [a, b] = [query(t), key(s)].map(({ re, im }) =>
        toComplex(sketch.apply(Float32Array.from(re)), sketch.apply(Float32Array.from(im))),
      );
      return circularConvolve(a!, b!, { complex: true });
    };
    expect(relativeError(feature(1012, 1003), feature(12, 3))).toBeLessThan(1e-5);
    expect(relativeError(feature(12, 4), feature(12, 3))).toBeGreaterThan(1e-3);
  });

  it('of a batch are those of its rows, positions repeating over leading axes', () => {
    const [batch, time] = [2, 3];
    const x = normals(batch * time * dim, 5);
    const position = [10, 20, 35];
    const all = phaseFeatures(x, { ...phases, position, role: 'key', dim });
    for (let row = 0; row < batch * time; row++) {
      const [from, to] = [row * dim, (row + 1) * dim];
      const alone = phaseFeatures(x.subarray(from, to), {
        ...phases,
        position: position[row % time]!,
        role: 'key',
      });
      expect(all.re.subarray(from, to)).toEqual(alone.re);
      expect(all.im.subarray(from, to)).toEqual(alone.im);
    }
  });
});
