import { createEngine, type NDArray, Rng, tf, treeLeaves } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { causalSelfAttention, scaledDotAttention } from '../src/attention.js';
import { type RsmOptions, resolveConfig } from '../src/config.js';
import { forwardChunk } from '../src/forms/chunk.js';
import { gatedUpdate } from '../src/memory/gated-update.js';
import {
  type GatedUpdateParams,
  initBlock,
  parameterCount,
  type RsmParams,
  type SelfAttentionParams,
} from '../src/parameters.js';
import { positionTable } from '../src/positional-encoding.js';
import { createRsmModel, formatSummary } from '../src/sequence-model.js';
import { evaluate, small, smallModel } from './support/models.js';

const engine = await createEngine('cpu');
afterAll(() => engine.dispose());
const rng = Rng.fromSeed(1);

describe('attention', () => {
  it.each([0, 3])('gives rows that sum to 1 and no weight to later keys (window %i)', async (window) => {
    const params = initBlock(resolveConfig({ ...small, hiddenSize: 16 }), rng).selfAttention;
    const weights = await evaluate(
      engine,
      ((attention: SelfAttentionParams, x: tf.Tensor) =>
        causalSelfAttention(attention, tf.mul(x, 20), { numHeads: 2, slidingWindow: window })
          .weights) as never,
      params,
      rng.normalArray([2, 9, 16]),
    );
    const { data } = weights as unknown as NDArray;
    for (let row = 0; row < 2 * 2 * 9; row++) {
      const query = row % 9;
      let sum = 0;
      for (let key = 0; key < 9; key++) {
        const weight = data[row * 9 + key]!;
        sum += weight;
        const visible = key <= query && (window === 0 || key > query - window);
        if (!visible) expect(weight).toBe(0);
      }
      expect(sum).toBeCloseTo(1, 6);
    }
  });

  it('sees everything evenly where everything is blocked', async () => {
    const weights = await evaluate(
      engine,
      ((q: tf.Tensor, k: tf.Tensor, mask: tf.Tensor) => scaledDotAttention(q, k, k, mask).weights) as never,
      rng.normalArray([3, 4]),
      rng.normalArray([5, 4]),
      { data: Float32Array.from({ length: 15 }, (_, i) => Number(i < 5)), shape: [3, 5], dtype: 'float32' },
    );
    const { data } = weights as unknown as NDArray;
    for (let key = 0; key < 5; key++) expect(data[key]).toBeCloseTo(0.2, 7);
  });
});

describe('what cannot be', () => {
  const options = (extra: Partial<RsmOptions>) => () => resolveConfig({ ...small, ...extra });

  it.each<[string, () => unknown, string]>([
    ['an odd width', options({ hiddenSize: 15, numHeads: 1 }), 'hiddenSize 15 is odd'],
    ['heads that do not divide the width', options({ numHeads: 3 }), 'cannot be split over 3 heads'],
    ['a chunk beyond the positions', options({ chunkSize: 11 }), 'exceeds the 10 positions'],
    ['a foreign option', options({ slots: 3 } as never), "RSM has no option 'slots'"],
    ['a dropout of 1', options({ dropout: 1 }), "option 'dropout' is wrong"],
    ['no token ids', options({ vocabSize: 0 }), "option 'vocabSize' is wrong"],
    ['an unknown preset', options({ preset: 'other' as never }), "option 'preset' is wrong"],
    ['several heads of the legacy model', options({ preset: 'legacy' }), 'has one attention head'],
    ['an odd position table', () => positionTable(3, 5), 'come in pairs'],
  ])('%s is refused in one sentence', (_what, attempt, message) => {
    expect(attempt).toThrow(message);
  });

  it('a chunk that is empty or longer than the position table is refused', async () => {
    const model = smallModel({});
    const params = model.init(rng);
    const run = (time: number) =>
      evaluate(
        engine,
        ((weights: RsmParams) =>
          forwardChunk(model.options, weights, tf.zeros([1, time], 'int32') as tf.Tensor2D).memory) as never,
        params,
      );
    await expect(run(11)).rejects.toThrow('A chunk has 1 to 10 tokens');
    await expect(run(0)).rejects.toThrow('A chunk has 1 to 10 tokens');
    const update = initBlock(model.options, rng).memoryWrite;
    await expect(
      evaluate(
        engine,
        ((weights: GatedUpdateParams) =>
          gatedUpdate(weights, tf.zeros([1, 0, 16]), tf.zeros([1, 3, 16])).memory) as never,
        update,
      ),
    ).rejects.toThrow('at least one token');
  });
});

describe('sizes', () => {
  const reference = (extra: Partial<RsmOptions>) =>
    createRsmModel({ preset: 'parity', vocabSize: 65, hiddenSize: 256, numLayers: 8, ...extra });

  it('the reference has the parameters that its formula says', () => {
    expect(reference({}).summary().parameters).toEqual({
      model: 10_015_488,
      sync: 525_824,
      total: 10_541_312,
    });
    const { parameters } = reference({ vocabSize: 50_257, numLayers: 6, useGlobalSync: false }).summary();
    expect(parameters.total).toBe(20_367_104);
    const legacy = createRsmModel({
      preset: 'legacy',
      vocabSize: 64,
      hiddenSize: 128,
      numLayers: 4,
      numMemorySlots: 32,
    });
    expect(legacy.summary().parameters.total).toBe(736_768);
  });

  it.each<Partial<RsmOptions>>([
    { preset: 'parity' },
    { preset: 'parity', useAttentionPooling: true },
    { preset: 'causal', useGlobalSync: true },
    { preset: 'parallel' },
    { preset: 'causal', memoryScope: 'grouped', slotIdentity: false },
    { preset: 'legacy', numHeads: 1 },
  ])('the count of %j is that of its parameters', (options) => {
    const model = smallModel(options);
    const numbers = JSON.stringify(options);
    const leaves = treeLeaves<NDArray>(model.init(rng));
    const total = leaves.reduce((sum, { leaf }) => sum + leaf.data.length, 0);
    expect(parameterCount(model.options), numbers).toBe(total);
  });

  it('a summary says what was built', () => {
    expect(formatSummary(reference({}).summary())).toBe(
      [
        'vocabulary    65',
        'hidden size   256',
        'layers        8',
        'heads         4',
        'memory slots  32',
        'chunk size    256',
        'global sync   yes',
        'parameters    10015488 + 525824 of the sync = 10541312',
        'size          40.2 MB',
      ].join('\n'),
    );
  });
});
