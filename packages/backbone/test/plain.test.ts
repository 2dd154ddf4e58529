import { crossEntropy, type NDArray, tf, treeLeaves, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import type { TransformerConfig, TransformerParameters } from '../src/index.js';
import {
  engines,
  forwardLogits,
  livelyModel,
  maxDifference,
  randomTokens,
  read,
  steppedLogits,
  withEngine,
} from './helpers.js';
import { byPath, plainLogits } from './plain-decoder.js';

const TIME = 11;
const variants = {
  'GPT-2': {
    positions: 'learned',
    activation: 'geluTanh',
    queryKeyValueBias: true,
    outputBias: true,
    mlpBias: true,
  },
  'Llama with grouped queries': {
    norm: 'rms',
    activation: 'swiglu',
    keyValueHeads: 2,
    tiedHead: false,
    rotaryBase: 500,
  },
  'sinusoids, exact gelu': { positions: 'sinusoidal', activation: 'gelu' },
  'one key/value head of another width': { keyValueHeads: 1, headWidth: 6 },
  'a window of 4': { window: 4 },
  'a window of 3 and 2 sinks': { window: 3, sinks: 2, keyValueHeads: 2 },
  'a capacity of 5': { capacity: 5, positions: 'learned' },
} as const;

/** The tokens that a query sees, by the meaning of the options. */
const visibility =
  ({ capacity, sinks }: TransformerConfig) =>
  (query: number, key: number) =>
    key <= query && (key > query - capacity || key < sinks);

describe.each(Object.entries(variants))('%s', (_what, options) => {
  const { model, params } = livelyModel(options);
  const tokens = randomTokens(1, TIME);
  const plain = plainLogits(
    model.options,
    byPath(params),
    [...tokens.data],
    visibility(model.options),
  ).flat();

  it.each(engines)(
    'equals the plain decoder with masked full attention, whole and stepwise, on %s',
    async (name) => {
      await withEngine(name, async (engine) => {
        expect(maxDifference(await forwardLogits(engine, model, params, tokens), plain)).toBeLessThan(3e-5);
        expect(
          maxDifference((await steppedLogits(engine, model, params, tokens)).logits, plain),
        ).toBeLessThan(3e-5);
      });
    },
  );

  it('has the gradients of the plain decoder, by central differences in float64', async () => {
    const targets = [...randomTokens(1, TIME, 29).data];
    const weights = byPath(params);
    const plainLoss = () => {
      const rows = plainLogits(model.options, weights, [...tokens.data], visibility(model.options));
      const losses = rows.map(
        (row, t) => Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[targets[t]!]!,
      );
      return losses.reduce((sum, value) => sum + value, 0) / TIME;
    };
    await withEngine('onnx', async (engine) => {
      const compiled = engine.compile((tree: TransformerParameters, ids: tf.Tensor2D) => {
        const loss = (p: TransformerParameters) => {
          const { logits } = model.forward(p, ids, model.initState(p, 1), { training: true });
          return crossEntropy(tf.reshape(logits, [TIME, model.vocabSize]), tf.tensor1d(targets, 'int32'));
        };
        return valueAndGradient(loss, tree);
      });
      const result = await compiled(params as never, tokens);
      expect(await result.value.item()).toBeCloseTo(plainLoss(), 4);
      const gradients = await read(result.gradients);
      const leaves = treeLeaves<NDArray>(params);
      expect(Object.keys(gradients).sort()).toEqual(leaves.map(({ path }) => path).sort());
      for (const { path } of leaves) {
        const data = weights[path]!.data as Float64Array;
        // Two elements of every parameter: the one with the largest gradient, and the middle one.
        const gradient = gradients[path]!;
        const largest = gradient.reduce(
          (best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best),
          0,
        );
        for (const index of [largest, gradient.length >> 1]) {
          const kept = data[index]!;
          data[index] = kept + 1e-4;
          const above = plainLoss();
          data[index] = kept - 1e-4;
          const below = plainLoss();
          data[index] = kept;
          const expected = (above - below) / 2e-4;
          expect(Math.abs(gradient[index]! - expected), `${path}[${index}]`).toBeLessThan(
            2e-5 + 1e-4 * Math.abs(expected),
          );
        }
      }
    });
  });
});
