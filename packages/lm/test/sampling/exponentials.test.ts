import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { exponentials } from '../../src/sampling/exponentials.js';

const exponential = (x: number) => {
  const into = new Float64Array(1);
  exponentials([x], 0, 1, into);
  return into[0]!;
};

describe('the exponentials of draws', () => {
  it('is that of Math.exp to the last bits, at any size', () => {
    const rng = Rng.fromSeed(4);
    let largest = 0;
    for (let draw = 0; draw < 200_000; draw++) {
      const x = -(10 ** (5 * rng.uniform() - 2.2));
      const expected = Math.exp(x);
      if (expected === 0) expect(exponential(x)).toBe(0);
      else largest = Math.max(largest, Math.abs(exponential(x) / expected - 1));
    }
    expect(largest).toBeLessThan(5e-16);
  });

  it('is exact where it ends', () => {
    expect([0, -0, -Infinity, -1e300].map(exponential)).toEqual([1, 1, 0, 0]);
    for (const x of [-700, -700.5, -740, -745.13, -1e-300, -Math.LN2, -1e-17]) {
      expect(Math.abs(exponential(x) - Math.exp(x))).toBeLessThanOrEqual(5e-16 * Math.exp(x));
    }
    expect(exponential(NaN)).toBeNaN();
  });

  it.each([
    ['ordinary scores', [1, -3, 0.5, 2]],
    ['banned ones', [1, -Infinity, 0.5, 2]],
    ['scores far below', [2, -1e9, -3.4e38, -706, 0.5]],
    ['scores as far below as whole numbers go', [0, -5_814_540, -11_629_080, -2]],
    ['an infinite largest one', [1, Infinity, -Infinity, 2]],
  ])('are those of Math.exp beside each other, also in the place of the scores: %s', (_, scores) => {
    const largest = Math.max(...scores);
    for (const temperature of [1, 0.7, 30]) {
      const expected = scores.map((score) =>
        score === largest ? 1 : Math.exp((score - largest) / temperature),
      );
      const own = Float64Array.from(scores);
      const apart = new Float64Array(scores.length);
      const sums = [
        exponentials(scores, largest, temperature, apart),
        exponentials(own, largest, temperature, own),
      ];
      for (const [index, share] of expected.entries()) {
        for (const found of [apart, own]) {
          expect(Math.abs(found[index]! - share)).toBeLessThanOrEqual(5e-16 * share);
        }
      }
      const whole = expected.reduce((sum, share) => sum + share, 0);
      for (const sum of sums) expect(sum).toBeCloseTo(whole, 12);
    }
  });
});
