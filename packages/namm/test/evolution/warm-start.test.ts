import { createTransformer } from '@palimpsest/backbone';
import { RandomWindows } from '@palimpsest/lm';
import {
  createEngine,
  crossEntropy,
  InputError,
  type NDArray,
  ndarray,
  Rng,
  tf,
  toHost,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { evolutionConfig } from '../../src/evolution/convert-parameters.js';
import { softPolicyModel, warmStart } from '../../src/evolution/warm-start.js';
import { scorerSize } from '../../src/scorer/layout.js';

const config = evolutionConfig({
  nFft: 8,
  hopLength: 4,
  emaCoeff: 0.9,
  recencyEmbedDim: 4,
  bam: { hiddenDim: 6 },
  updateInterval: 8,
  maxTokensPerForward: 8,
  normalise: false,
});
const model = createTransformer({
  vocabSize: 23,
  context: 32,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  modelWidth: 16,
  evictable: true,
});
const rng = Rng.fromSeed(1);
const params = model.init(rng);
// At its first parameters a transformer guesses evenly and attends evenly, and nothing that it forgets would matter.
const sharpen = (values: NDArray['data'], by: number) => {
  for (let i = 0; i < values.length; i++) values[i]! *= by;
};
sharpen(params.tokenEmbedding.data, 30);
for (const block of params.blocks)
  for (const part of [block.queryKeyValue, block.output, block.up, block.down]) sharpen(part.weight.data, 8);
const ids = Int32Array.from({ length: 400 }, (_, i) => ((i % 40) * (1 + Math.floor(i / 40))) % 23);
const size = scorerSize(config);

const lossOf = (
  soft: ReturnType<typeof softPolicyModel>,
  policy: tf.Tensor,
  weights: never,
  window: tf.Tensor,
  targets: tf.Tensor,
) => {
  const state = soft.initState({ model: weights, policy }, 1);
  const { logits } = soft.forward({ model: weights, policy }, window as tf.Tensor2D, state, {
    training: true,
  });
  return crossEntropy(tf.reshape(logits, [-1, 23]), tf.reshape(targets, [-1]));
};

describe('a warm start', () => {
  const soft = softPolicyModel(model, { config });
  const window = ndarray(ids.slice(0, 28), [1, 28], 'int32');
  const targets = ndarray(ids.slice(1, 29), [1, 28], 'int32');

  it('leaves the model as it is where all scores are high, and weighs entries where they are not', async () => {
    const engine = await createEngine('cpu');
    const run = engine.compile((weights: never, policy: tf.Tensor, tokens: tf.Tensor2D) => {
      const state = soft.initState({ model: weights, policy }, 1);
      return {
        soft: soft.forward({ model: weights, policy }, tokens, state, { training: true }).logits,
        plain: model.forward(weights, tokens, model.initState(weights, 1), { training: false }).logits,
      };
    });
    const at = async (bias: number) => {
      const vector = new Float32Array(size);
      vector[size - 1] = bias;
      const { soft: a, plain: b } = await toHost(await run(params as never, ndarray(vector), window));
      const difference = (from: number, to: number) =>
        Math.max(
          ...a.data.subarray(from * 23, to * 23).map((value, i) => Math.abs(value - b.data[from * 23 + i]!)),
        );
      return { before: difference(0, 8), after: difference(8, 28) };
    };
    expect((await at(30)).after).toBeLessThan(1e-5);
    const low = await at(-4);
    expect(low.before).toBeLessThan(1e-6);
    expect(low.after).toBeGreaterThan(1e-3);
    await engine.dispose();
  });

  it('has the gradient of finite differences', async () => {
    const engine = await createEngine('cpu');
    const run = engine.compile(
      (weights: never, policy: tf.Tensor, direction: tf.Tensor, x: tf.Tensor, y: tf.Tensor) => {
        const loss = (vector: tf.Tensor) => lossOf(soft, vector, weights, x, y);
        const { gradients } = valueAndGradient(loss, policy);
        const step = 0.02;
        const shifted = (by: number) => loss(tf.add(policy, tf.mul(direction, by)));
        return {
          along: tf.sum(tf.mul(gradients!, direction)),
          numeric: tf.div(tf.sub(shifted(step), shifted(-step)), 2 * step),
        };
      },
    );
    const policy = Rng.fromSeed(7).normalArray([size], 0, 0.4);
    for (const seed of [1, 2, 3]) {
      const direction = Rng.fromSeed(seed).normalArray([size]);
      const { along, numeric } = await toHost(await run(params as never, policy, direction, window, targets));
      expect(Math.abs(along.data[0]!)).toBeGreaterThan(1e-4);
      expect(Math.abs(along.data[0]! - numeric.data[0]!)).toBeLessThan(
        0.03 * Math.abs(along.data[0]!) + 2e-4,
      );
    }
    await engine.dispose();
  });

  it('lowers the loss by changing the policy alone', async () => {
    const engine = await createEngine('onnx');
    // One window again and again, so that every step is measured by the same text.
    const source = new RandomWindows(ids.slice(0, 29), { batch: 1, time: 28 });
    const losses: number[] = [];
    let end: { model: typeof params; policy: { data: Float32Array } } | undefined;
    for await (const event of warmStart({
      engine,
      model,
      params,
      config,
      source,
      settings: { steps: 60, learningRate: 0.05, schedule: 'constant', seed: 3 },
    })) {
      if (event.type === 'step') losses.push(event.loss);
      if (event.type === 'end') end = event.params as typeof end;
    }
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.05);
    expect(end!.policy.data.length).toBe(size);
    expect(end!.model.blocks[0]!.queryKeyValue.weight.data).toEqual(
      params.blocks[0]!.queryKeyValue.weight.data,
    );
    await engine.dispose();
  });

  it('forgets what is not worth its price, and counts what is kept', async () => {
    const engine = await createEngine('onnx');
    const source = new RandomWindows(ids.slice(0, 29), { batch: 1, time: 28 });
    const price = 0.01;
    const kept: number[] = [];
    const settings = { steps: 40, learningRate: 0.05, schedule: 'constant', seed: 3 } as const;
    for await (const event of warmStart({ engine, model, params, config, source, price, settings })) {
      if (event.type === 'step') kept.push(event.auxiliaryLoss! / price);
    }
    // Updates see 8, 16 and 24 entries; at scores around 0 half of them count.
    expect(kept[0]!).toBeGreaterThan(7);
    expect(kept[0]!).toBeLessThan(9);
    expect(kept.at(-1)!).toBeLessThan(0.7 * kept[0]!);
    await engine.dispose();
  });

  it.each([
    [{ temperature: 0 }, 'The temperature of a warm start is a number above 0, but 0 was given.'],
    [{ temperature: Number.NaN }, 'but NaN was given'],
    [{ temperature: Number.POSITIVE_INFINITY }, 'but Infinity was given'],
    [
      { price: -1e-3 },
      'The price of an entry is a number of nats that is not below 0, but -0.001 was given.',
    ],
    [{ price: Number.NaN }, 'but NaN was given'],
    [{ price: Number.POSITIVE_INFINITY }, 'but Infinity was given'],
  ])('refuses %o', (options, sentence) => {
    const make = () => softPolicyModel(model, { config, ...options });
    expect(make).toThrow(InputError);
    expect(make).toThrow(sentence);
  });

  it('refuses statistics of other features', () => {
    const other = { mean: new Float32Array(3), variance: new Float32Array(3), count: 1 };
    const normalised = evolutionConfig({ ...config, normalise: true });
    expect(() => softPolicyModel(model, { config: normalised, statistics: [other] })).toThrow(
      'Statistics 0 of the features have 3 means',
    );
  });

  it('refuses windows in which nothing is weighted, and scorers without attention', async () => {
    const engine = await createEngine('cpu');
    const source = new RandomWindows(ids, { batch: 1, time: 8 });
    await expect(warmStart({ engine, model, params, config, source }).next()).rejects.toThrow(
      'longer than an interval of 8',
    );
    const linear = evolutionConfig({ scorer: 'linear' });
    expect(() => softPolicyModel(model, { config: linear })).toThrow('a scorer with attention');
    await engine.dispose();
  });
});
