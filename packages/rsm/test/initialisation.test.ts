import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { createRsmModel, resolveConfig } from '../src/index.js';

/** Standard deviation about 0. */
const deviation = ({ data }: NDArray) =>
  Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0) / data.length);

describe('initialisation', () => {
  it.each([0.02, 0.1])(
    'every matrix of a block starts at weightInitStd %d, the embedding at its own',
    (weightInitStd) => {
      const model = createRsmModel({ vocabSize: 50, hiddenSize: 64, numLayers: 2, weightInitStd });
      const leaves = treeLeaves<NDArray>(model.init(Rng.fromSeed(1)));
      const matrices = leaves.filter(({ path }) => /^blocks\..*\.weight$/.test(path));
      // qkv, projection; query, key, value, output of the read; gate, input, two of the pooling; two of the MLP.
      expect(matrices).toHaveLength(2 * 12);
      for (const { path, leaf } of matrices) {
        expect([path, Math.abs(deviation(leaf) / weightInitStd - 1) < 0.06]).toEqual([path, true]);
      }
      const embedding = leaves.find(({ path }) => path === 'tokenEmbedding')!;
      expect(deviation(embedding.leaf)).toBeCloseTo(0.2, 1);
    },
  );

  it('is 0.02 unless told otherwise, as in the original, and refuses what is no deviation', () => {
    expect(resolveConfig({ vocabSize: 5 }).weightInitStd).toBe(0.02);
    expect(() => resolveConfig({ vocabSize: 5, weightInitStd: 0 })).toThrow(
      "The RSM option 'weightInitStd' is wrong",
    );
  });
});
