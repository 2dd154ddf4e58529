import { Rng } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { gate, rankedPlaces } from '../src/retrieval/gate.js';

it('keeps the best of many scores as a sort of all would, the lower place first among equals', () => {
  const rng = Rng.fromSeed(5);
  for (const [count, k] of [
    [1000, 4],
    [1000, 1],
    [1000, 400],
    [64, 4],
    [3, 4],
    [0, 4],
    [10, 0],
  ] as const) {
    // Few values, so that there are many equal ones.
    const scores = Array.from({ length: count }, () => rng.int(20) / 10);
    const found = gate(scores, { tau: 0.07, k, pMin: 0 });
    expect(found.map(({ index }) => index)).toEqual(rankedPlaces(scores).slice(0, k));
  }
  const rising = Array.from({ length: 500 }, (_, i) => i);
  expect(gate(rising, { tau: 1, k: 3, pMin: 0.5 })).toMatchObject([
    { index: 499, kept: true },
    { index: 498, kept: false },
    { index: 497, kept: false },
  ]);
  expect(() => gate([1, Number.NaN], { tau: 1, k: 1, pMin: 0 })).toThrow(
    'The score of memory 1 is not a number',
  );
});
