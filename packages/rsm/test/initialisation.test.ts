import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../src/config.js';
import { createRsmModel } from '../src/sequence-model.js';

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

  it('can begin without reading the memory, and with small logits', () => {
    const model = createRsmModel({
      vocabSize: 50,
      hiddenSize: 64,
      numLayers: 2,
      readInit: 'zero',
      outputGainInit: 0.25,
    });
    const leaves = treeLeaves<NDArray>(model.init(Rng.fromSeed(1)));
    const named = (pattern: RegExp) => leaves.filter(({ path }) => pattern.test(path));
    const reads = named(/memoryRead\.output\./);
    expect(reads).toHaveLength(2 * 2);
    for (const { leaf } of reads) expect(deviation(leaf)).toBe(0);
    expect(new Set(named(/^normOut\.gain$/)[0]!.leaf.data)).toEqual(new Set([0.25]));
  });

  it('refuses rotary positions where they do not fit', () => {
    const options = { vocabSize: 5, hiddenSize: 12, numHeads: 4, positions: 'rotary' } as const;
    expect(() => resolveConfig(options)).toThrow('a head must have an even width; 12 over 4 heads gives 3');
    expect(() => resolveConfig({ ...options, numHeads: 2, preset: 'parity' })).toThrow(
      'for the causal wirings',
    );
  });

  it('is 0.02 unless told otherwise, as in the original, and refuses what is no deviation', () => {
    expect(resolveConfig({ vocabSize: 5 }).weightInitStd).toBe(0.02);
    expect(() => resolveConfig({ vocabSize: 5, weightInitStd: 0 })).toThrow(
      "The RSM option 'weightInitStd' is wrong",
    );
  });
});
