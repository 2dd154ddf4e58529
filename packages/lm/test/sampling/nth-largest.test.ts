import { Rng } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { nthLargest } from '../../src/sampling/nth-largest.js';

it('is what sorting finds, with equal numbers and infinities among them, and leaves the numbers as they are', () => {
  const rng = Rng.fromSeed(4);
  for (let round = 0; round < 300; round++) {
    const length = 1 + rng.int(60);
    const kinds = 1 + rng.int(40);
    const values = Float64Array.from({ length }, () => {
      const drawn = rng.int(kinds) - kinds / 2;
      return rng.int(9) === 0 ? -Infinity : drawn;
    });
    const before = [...values];
    const sorted = [...values].sort((a, b) => b - a);
    for (let n = 1; n <= length; n++) expect(nthLargest(values, n)).toBe(sorted[n - 1]);
    expect([...values]).toEqual(before);
  }
});

it.each(['rising', 'falling', 'equal', 'random'])('takes a whole vocabulary: %s', (order) => {
  const rng = Rng.fromSeed(1);
  const length = 150_000;
  const drawn = {
    rising: (i: number) => i,
    falling: (i: number) => -i,
    equal: () => 3,
    random: () => rng.normal(),
  };
  const values = Float64Array.from({ length }, (_, i) => drawn[order as keyof typeof drawn](i));
  const sorted = values.toSorted();
  for (const n of [1, 40, 75_000, length]) expect(nthLargest(values, n)).toBe(sorted[length - n]);
});
