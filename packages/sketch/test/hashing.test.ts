import { describe, expect, it } from 'vitest';
import { createIndependentTables, createTable, kWiseHash, Mt19937 } from '../src/index.js';
import { zScore } from './support/statistics.js';

describe('the reference generator (property 1)', () => {
  it('takes a seed modulo 2^32', () => {
    expect(new Mt19937(-1).nextUint32()).toBe(new Mt19937(2 ** 32 - 1).nextUint32());
    expect(new Mt19937(2 ** 32 + 5).nextUint32()).toBe(new Mt19937(5).nextUint32());
  });
});

it('independent tables are those of consecutive seeds', () => {
  const tables = createIndependentTables(3, { dim: 9, sketchDim: 5, seed: 11 });
  expect(tables).toEqual([11, 12, 13].map((seed) => createTable({ dim: 9, sketchDim: 5, seed })));
});

describe('kWiseHash', () => {
  it('evaluates its polynomial exactly', () => {
    const hash = kWiseHash(5, 3);
    const prime = BigInt(hash.prime);
    for (const key of [0, 1, 2, 65_535, 65_536, 123_456_789, hash.prime - 1]) {
      const powers = [...hash.coefficients].map(
        (value, power) => BigInt(value) * BigInt(key) ** BigInt(power),
      );
      expect(BigInt(hash.hash(key))).toBe(powers.reduce((sum, term) => sum + term) % prime);
    }
  });

  it('is pairwise independent: any two keys share a bucket with probability 1/m', () => {
    for (const [a, b] of [
      [0, 1],
      [3, 900],
      [5, 10],
    ] as const) {
      const hits = Float64Array.from({ length: 20_000 }, (_, seed) => {
        const hash = kWiseHash(2, seed);
        return hash.bucket(a, 16) === hash.bucket(b, 16) ? 1 : 0;
      });
      expect(Math.abs(zScore(hits, 1 / 16))).toBeLessThan(4.5);
    }
  });

  it('is 4-wise independent: the signs of four keys multiply to mean 0, and so do those of fewer', () => {
    for (const keys of [[7], [0, 1], [0, 1, 2], [0, 1, 2, 3], [4, 9, 100, 7777]]) {
      const products = Float64Array.from({ length: 20_000 }, (_, seed) => {
        const hash = kWiseHash(4, seed);
        return keys.reduce<number>((product, key) => product * hash.sign(key), 1);
      });
      expect(Math.abs(zScore(products, 0))).toBeLessThan(4.5);
    }
  });
});
