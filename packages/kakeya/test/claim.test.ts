import { describe, expect, it } from 'vitest';
import {
  clusteredVectors,
  coderSpecs,
  powerLawVectors,
  rankEightVectors,
  rateDistortion,
  type VectorSplit,
} from '../src/index.js';
import { sentenceVectors, slice } from './vectors.js';

const size = { testRows: 100 };
const sets: [string, number, () => VectorSplit][] = [
  ['rank 8', 0.021, () => rankEightVectors(size)],
  ['power law', 0.25, () => powerLawVectors(size)],
  ['clusters', 0.005, () => clusteredVectors(size)],
  ['sentences', 0.46, () => sentenceVectors(100)],
];

/** Held-out medians on the four families of 4,000 training vectors of width 256 (the full table is in the README). */
describe('the default coder on held-out rows', () => {
  it.each(sets)(
    '%s: 52 bytes, error at most %d and below pca-int8',
    { timeout: 600_000 },
    (_, promised, make) => {
      const { train, test } = make();
      const [trellis, int8] = rateDistortion(train, test, [coderSpecs.trellis(52), coderSpecs.pcaInt8(52)]);
      expect(trellis!.median).toBeLessThanOrEqual(promised);
      expect(trellis!.median).toBeLessThan(int8!.median);
    },
  );

  it('beats product quantisation at 32 bytes on the flat spectrum too', { timeout: 600_000 }, () => {
    const { train, test } = sentenceVectors(200);
    const fewer = slice(train, 0, 2000);
    const specs = [coderSpecs.trellis(32), coderSpecs.productQuantiser(32)];
    const [trellis, pq] = rateDistortion(fewer, test, specs).map(({ median }) => median);
    expect(trellis).toBeLessThan(pq!);
  });
});
