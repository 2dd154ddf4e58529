import {
  adamw,
  clipByGlobalNorm,
  createEngine,
  crossEntropy,
  type NDArray,
  ndarray,
  Rng,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { createRsmModel, forwardChunk, type RsmModel, type RsmParams } from '../src/index.js';

const engine = await createEngine('onnx');
afterAll(() => engine.dispose());

const SYMBOLS = 8;
const TIME = 8;
const chance = Math.log(SYMBOLS);

/** A constant token, then one random symbol over and over: nothing before it tells what it is. */
function leakToy(rng: Rng, batch: number): { x: NDArray; y: NDArray } {
  const symbols = Int32Array.from({ length: batch }, () => rng.int(SYMBOLS));
  const y = Int32Array.from({ length: batch * TIME }, (_, index) => symbols[Math.floor(index / TIME)]!);
  const x = y.map((symbol, index) => (index % TIME === 0 ? SYMBOLS : symbol));
  return { x: ndarray(x, [batch, TIME], 'int32'), y: ndarray(y, [batch, TIME], 'int32') };
}

/** Mean loss at the first place. */
function firstLoss(logits: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const [batch, , width] = logits.shape as [number, number, number];
  const first = tf.reshape(tf.slice(logits, [0, 0, 0], [batch, 1, width]), [batch, width]);
  return crossEntropy(first, tf.reshape(tf.slice(y, [0, 0], [batch, 1]), [batch]));
}

interface Training {
  readonly params: RsmParams;
  readonly moments: unknown;
}

/** Trains on single chunks of the toy; gives the loss at position 0 over 512 fresh samples, from whole chunks and from prefixes. */
async function trainLeakToy(model: RsmModel, steps = 600) {
  const { options } = model;
  const optimiser = adamw({ weightDecay: 0.01 });
  const step = engine.compile(
    ({ params, moments }: Training, x: tf.Tensor2D, y: tf.Tensor) => {
      const { value, gradients } = valueAndGradient((weights: RsmParams) => {
        const { logits } = forwardChunk(options, weights, x);
        return crossEntropy(tf.reshape(logits, [-1, options.vocabSize]), tf.reshape(y, [-1]));
      }, params);
      const clipped = clipByGlobalNorm(gradients as never, 1);
      const next = optimiser.update(params as never, clipped.gradients as never, moments as never, {
        learningRate: tf.scalar(3e-3),
      });
      return { loss: value as tf.Tensor, state: { params: next.parameters, moments: next.state } };
    },
    { name: 'leak toy', donate: [0] },
  );
  const rng = Rng.fromSeed(11);
  const fresh = model.init(rng);
  let state: unknown = { params: fresh, moments: optimiser.init(fresh as never) };
  for (let index = 0; index < steps; index++) {
    const { x, y } = leakToy(rng, 32);
    const result = await step(state as never, x as never, y as never);
    result.loss.dispose();
    ({ state } = result);
  }
  const measure = engine.compile((params: RsmParams, x: tf.Tensor2D, y: tf.Tensor) => ({
    whole: firstLoss(forwardChunk(options, params, x).logits, y) as tf.Tensor,
    prefix: firstLoss(
      forwardChunk(options, params, tf.slice(x, [0, 0], [x.shape[0], 1]) as tf.Tensor2D).logits,
      y,
    ) as tf.Tensor,
  }));
  const { x, y } = leakToy(rng, 512);
  const losses = await measure((state as Training).params as never, x as never, y as never);
  return { whole: await losses.whole.item(), prefix: await losses.prefix.item() };
}

const toy = {
  vocabSize: SYMBOLS + 1,
  hiddenSize: 32,
  numHeads: 4,
  numMemorySlots: 4,
  windowSize: TIME,
  dropout: 0,
};

describe('the leak toy: a random symbol is asked for before it is seen (chance ln 8 = 2.079)', () => {
  it.each(['causal', 'parallel'] as const)('%s stays at chance', async (preset) => {
    const losses = await trainLeakToy(createRsmModel({ ...toy, preset, numLayers: 2 }));
    console.log(
      `${preset}: ${losses.whole.toFixed(3)} from whole chunks, ${losses.prefix.toFixed(3)} from prefixes`,
    );
    expect(losses.whole).toBeGreaterThan(chance - 0.05);
    expect(losses.whole).toBeCloseTo(losses.prefix, 4);
  });

  it('parity with two blocks sees the future, and not without it', async () => {
    const model = createRsmModel({ ...toy, preset: 'parity', numLayers: 2, useGlobalSync: false });
    const losses = await trainLeakToy(model);
    console.log(
      `parity: ${losses.whole.toFixed(4)} from whole chunks, ${losses.prefix.toFixed(2)} from prefixes`,
    );
    expect(losses.whole).toBeLessThan(0.1);
    expect(losses.prefix).toBeGreaterThan(chance);
  });
});
