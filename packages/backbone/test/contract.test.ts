import { type SequenceModel, stateBytes } from '@palimpsest/lm';
import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  cacheBytes,
  createTransformer,
  parameterCount,
  presets,
  resolveConfig,
  type TransformerOptions,
  type TransformerParameters,
  type TransformerState,
} from '../src/index.js';
import { tiny } from './helpers.js';

const weightsOf = (params: unknown) =>
  treeLeaves<NDArray>(params).reduce((total, { leaf }) => total + leaf.data.length, 0);

describe('a transformer', () => {
  it('is a sequence model of lm', () => {
    const model: SequenceModel<TransformerParameters, TransformerState> = createTransformer(tiny);
    expect(model.name).toBe('transformer');
    expect(model.vocabSize).toBe(23);
  });

  it('begins with the same weights for the same seed, and with others for another', () => {
    const model = createTransformer(tiny);
    expect(model.init(Rng.fromSeed(1))).toEqual(model.init(Rng.fromSeed(1)));
    expect(model.init(Rng.fromSeed(1))).not.toEqual(model.init(Rng.fromSeed(2)));
  });

  it('is built again from its own config as JSON', () => {
    const options: TransformerOptions[] = [tiny, { ...tiny, window: 5, sinks: 2 }, presets.llama3()];
    for (const given of options) {
      const model = createTransformer(given);
      const again = createTransformer(JSON.parse(JSON.stringify(model.config)) as TransformerOptions);
      expect(again.options).toEqual(model.options);
    }
  });

  it.each([{}, { keyValueHeads: 2 }, { evictable: true }, { window: 5, sinks: 3 }, { capacity: 7 }])(
    'has a cache whose bytes follow from the options: %j',
    async (options) => {
      const model = createTransformer({ ...tiny, ...options });
      expect(await stateBytes(model, 3)).toBe(3 * cacheBytes(model.options));
      const {
        keyValueHeads = 4,
        window = 0,
        sinks = 0,
        capacity = 12,
        evictable = false,
      }: Partial<TransformerOptions> = options;
      const slots = sinks + (window || capacity);
      expect(cacheBytes(model.options)).toBe(
        4 * (1 + slots * (2 * 2 * keyValueHeads * 4 + (evictable ? 2 * 4 : 1))),
      );
    },
  );

  it('has the published sizes as presets', () => {
    expect(parameterCount(presets.gpt2())).toBe(124_439_808);
    expect(parameterCount(presets.qwen2())).toBe(494_032_768);
    expect(parameterCount(presets.llama3())).toBe(1_235_814_400);
    const small = createTransformer(presets.small({ vocabSize: 65 }));
    expect(weightsOf(small.init(Rng.fromSeed(0)))).toBe(parameterCount(small.options));
    expect(small.options).toMatchObject({ layers: 4, heads: 4, modelWidth: 128, context: 64 });
  });

  it.each([
    [{ vocabSize: 0 }, "option 'vocabSize' is wrong"],
    [{ vocabSize: 9, depth: 3 }, "has no option 'depth'; the options are vocabSize, context"],
    [{ vocabSize: 9, modelWidth: 130 }, 'modelWidth 130 cannot be split over 4 heads'],
    [{ vocabSize: 9, keyValueHeads: 3 }, '4 heads cannot share 3 key/value heads'],
    [{ vocabSize: 9, headWidth: 5 }, 'Rotary positions need an even headWidth, but it is 5'],
    [
      { vocabSize: 9, modelWidth: 5, heads: 1, positions: 'sinusoidal' },
      'need an even modelWidth, but it is 5',
    ],
    [{ vocabSize: 9, sinks: 2 }, 'sinks 2 needs a window'],
    [
      { vocabSize: 9, window: 8, capacity: 9 },
      'With a window of 8 the capacity is 8, but capacity 9 was given',
    ],
    [
      { vocabSize: 9, positions: 'learned', capacity: 65 },
      'Learned positions reach 64 tokens, but 65 shall be visible',
    ],
    [{ vocabSize: 9, rotaryScaling: { kind: 'linear' } }, "option 'rotaryScaling.factor' is wrong"],
    [
      { vocabSize: 9, positions: 'learned', rotaryScaling: { kind: 'linear', factor: 2 } },
      "needs positions 'rotary'",
    ],
  ])('refuses %j in one sentence', (options, message) => {
    expect(() => resolveConfig(options as TransformerOptions)).toThrow(message);
  });
});
