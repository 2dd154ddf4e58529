import { type NDArray, ndarray, type tf, toHost } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  cachedRows,
  continueGreedily,
  stateFromRows,
  type TransformerOptions,
  type TransformerParameters,
  type TransformerState,
} from '../src/index.js';
import { livelyModel, maxDifference, randomTokens, withEngine } from './helpers.js';

const rotary = { positions: 'rotary', keyValueHeads: 2 } as const;

const kinds: Record<string, Partial<TransformerOptions>> = {
  rotary,
  'rotary, stretched': {
    ...rotary,
    rotaryScaling: {
      kind: 'llama3',
      factor: 4,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContext: 8,
    },
  },
  'rotary, local layers and some without positions': {
    ...rotary,
    layers: 3,
    localLayers: [1],
    localWindow: 5,
    localRotaryBase: 200,
    unrotatedLayers: [2],
  },
  learned: { positions: 'learned' },
};

describe.each(Object.entries(kinds))('rows of a cache, %s', (_name, options) => {
  const { model, params } = livelyModel({ ...options, capacity: 16, context: 32 });

  const stateOf = async (engine: Parameters<Parameters<typeof withEngine>[1]>[0], tokens: NDArray) => {
    const read = engine.compile((weights: TransformerParameters, ids: tf.Tensor) =>
      model.run(weights, { tokens: ids }, model.initState(weights, 1), { logits: 'last' }),
    );
    const { state, logits } = await toHost(await read(params, tokens));
    return { state: state as TransformerState<NDArray>, logits: logits!.data };
  };
  const logitsBehind = async (
    engine: Parameters<Parameters<typeof withEngine>[1]>[0],
    state: TransformerState<NDArray>,
    tokens: NDArray,
  ) => {
    const read = engine.compile(
      (weights: TransformerParameters, ids: tf.Tensor, cache: TransformerState) =>
        model.run(weights, { tokens: ids }, cache, { logits: 'last' }).logits!,
    );
    return (await read(params, tokens, state)).data();
  };

  it.each(['cpu', 'onnx'] as const)('are the cache of the text again, on %s', (name) =>
    withEngine(name, async (engine) => {
      const text = randomTokens(1, 9);
      const [front, back] = [
        ndarray(text.data.slice(0, 6), [1, 6], 'int32'),
        ndarray(text.data.slice(6), [1, 3], 'int32'),
      ];
      const whole = await stateOf(engine, text);
      const { state } = await stateOf(engine, front);
      const again = stateFromRows(model.options, cachedRows(model.options, state, 0, [0, 1, 2, 3, 4, 5]));
      expect(maxDifference(await logitsBehind(engine, again, back), whole.logits)).toBeLessThan(1e-4);
    }),
  );

  it('decode as the text would, from states of their own', () =>
    withEngine('cpu', async (engine) => {
      const text = [...randomTokens(1, 7).data];
      const { state } = await stateOf(engine, ndarray(Int32Array.from(text.slice(0, 4)), [1, 4], 'int32'));
      const rows = cachedRows(model.options, state, 0, [0, 1, 2, 3]);
      const plain = await continueGreedily(engine, model, params, [text, text.slice(4)], 5);
      const chosen: number[] = [];
      const behind = await continueGreedily(engine, model, params, [text.slice(4), text.slice(4)], 5, {
        states: [stateFromRows(model.options, rows), emptyOf()],
        onToken: (id, prompt) => {
          if (prompt === 0) chosen.push(id);
        },
      });
      expect(behind).toEqual(plain);
      expect(chosen).toEqual(plain[0]);
    }));

  const emptyOf = () => stateFromRows(model.options, ndarray(new Float32Array(0), [0, width]));
  const width = 2 * model.options.layers * model.options.keyValueHeads * model.options.headWidth;

  it('refuse what does not fit', () =>
    withEngine('cpu', async (engine) => {
      const { state } = await stateOf(engine, randomTokens(1, 4));
      expect(() => cachedRows(model.options, state, 0, [7])).toThrow('does not hold position 7');
      expect(() => stateFromRows(model.options, ndarray(new Float32Array(3), [1, 3]))).toThrow(
        `[tokens, ${width}]`,
      );
      const many = ndarray(new Float32Array(17 * width), [17, width]);
      expect(() => stateFromRows(model.options, many)).toThrow(
        '17 tokens do not fit into a cache of 16 slots',
      );
      await expect(
        continueGreedily(engine, model, params, [[1], [2]], 1, { states: [emptyOf()] }),
      ).rejects.toThrow('There are 1 states for 2 prompts');
    }));
});
