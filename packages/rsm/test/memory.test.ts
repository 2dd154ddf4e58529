import { createEngine, type NDArray, Rng, tf, treeLeaves, valueAndGradient } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { memoryShape, type RsmOptions } from '../src/config.js';
import { forwardChunks } from '../src/forms/chunks.js';
import { initialMemory } from '../src/memory/slots.js';
import type { RsmParams } from '../src/parameters.js';
import { createRsmModel, type RsmModel } from '../src/sequence-model.js';
import { participationRatio } from '../src/telemetry.js';
import { evaluate, lively, randomTokens, smallModel } from './support/models.js';

const engine = await createEngine('onnx');
afterAll(() => engine.dispose());

/** First k, between chunks on a logarithmic scale, at which half of a difference is left. */
function halfLife(left: readonly number[]): number {
  for (let k = 1; k < left.length; k++) {
    if (left[k]! > 0.5) continue;
    const [before, after] = [Math.log(left[k - 1]!), Math.log(left[k]!)];
    return k - 1 + (before - Math.log(0.5)) / (before - after);
  }
  return Number.POSITIVE_INFINITY;
}

/** How long a difference of the first memory lasts, and how many directions the slots hold after eight chunks. */
function retention(model: RsmModel) {
  const { options } = model;
  // Two texts of the same tokens, whose first memories differ.
  const first = engine.compile((weights: RsmParams, off: tf.Tensor) =>
    tf.add(initialMemory(options, weights, 2), tf.concat([tf.zerosLike(off), off], 0)),
  );
  const read = engine.compile((weights: RsmParams, ids: tf.Tensor2D, before: tf.Tensor) => {
    const { memory } = forwardChunks(options, weights, tf.tile(ids, [2, 1]) as tf.Tensor2D, before);
    const [one, other] = tf.split(memory, 2, 0) as [tf.Tensor, tf.Tensor];
    return {
      memory,
      left: tf.sqrt(tf.sum(tf.square(tf.sub(other, one)))),
      rank: tf.mean(participationRatio(one)),
    };
  });
  return async (seed: number, chunks: number) => {
    const rng = Rng.fromSeed(seed);
    const params = model.init(rng) as never;
    const nudge = rng.normalArray(memoryShape(options, 1), 0, 0.01);
    const start = Math.hypot(...nudge.data);
    let memory: unknown = await first(params, nudge);
    let rank = 0;
    const left = [1];
    for (let chunk = 0; chunk < chunks; chunk++) {
      const ids = randomTokens(1, options.chunkSize, options.vocabSize, 1000 * seed + chunk);
      const result = await read(params, ids as never, memory as never);
      left.push((await result.left.item()) / start);
      if (chunk === 7) rank = await result.rank.item();
      ({ memory } = result);
    }
    return { halfLife: halfLife(left), rank };
  };
}

const seeds = [1, 2, 3];
const sizes = {
  vocabSize: 65,
  hiddenSize: 128,
  numLayers: 4,
  numMemorySlots: 32,
  windowSize: 64,
  dropout: 0,
};

describe('memory at the start of training (d 128, L 4, 32 slots, chunks of 64 random tokens)', () => {
  it.each<[string, Partial<RsmOptions>, (figures: { halfLife: number; rank: number }) => void]>([
    [
      'parallel',
      { preset: 'parallel' },
      (figures) => {
        expect(figures.halfLife).toBeGreaterThan(4);
        expect(figures.rank).toBeGreaterThan(16);
      },
    ],
    [
      'causal with decayIdentity',
      { preset: 'causal', recurrenceInit: 'decayIdentity' },
      (figures) => {
        expect(figures.halfLife).toBeGreaterThan(10);
        expect(figures.rank).toBeGreaterThan(16);
      },
    ],
    [
      'parity',
      { preset: 'parity', useGlobalSync: false },
      (figures) => {
        expect(figures.halfLife).toBeLessThan(0.5);
        expect(figures.rank).toBeLessThan(1.5);
      },
    ],
  ])('%s', async (_name, options, check) => {
    const model = createRsmModel({ ...sizes, ...options });
    const chunks = options.recurrenceInit === 'decayIdentity' ? 26 : 9;
    const measure = retention(model);
    for (const seed of seeds) {
      check(await measure(seed, chunks));
    }
  });
});

describe('gradients', () => {
  it.each<Partial<RsmOptions>>([
    { preset: 'causal' },
    { preset: 'parallel' },
    { preset: 'causal', useGlobalSync: true, syncCadence: 1 },
  ])('reach every parameter of %j', async (options) => {
    const model = smallModel(options);
    const chunks = options.useGlobalSync ? 3 : 2;
    const result = (await evaluate(
      engine,
      ((weights: RsmParams, ids: tf.Tensor2D) => {
        const { gradients } = valueAndGradient((current: RsmParams) => {
          const { logits } = model.forward(current, ids, model.initState(current, 2), { training: true });
          return tf.sum(tf.sin(logits));
        }, weights);
        return gradients;
      }) as never,
      lively(model),
      randomTokens(2, chunks * model.options.chunkSize, model.vocabSize),
    )) as unknown;
    const reached = new Map(treeLeaves<NDArray>(result).map(({ path, leaf }) => [path, leaf]));
    const dead = treeLeaves(model.init(Rng.fromSeed(1)))
      .map(({ path }) => path)
      .filter(
        (path) => !(Math.max(...(reached.get(path)?.data ?? [0]).map((x) => Math.abs(Number(x)))) > 1e-7),
      );
    expect(dead).toEqual([]);
    if (model.options.updateRule === 'linear') {
      expect([...reached.keys()].filter((path) => path.includes('recurrence'))).toEqual([]);
    }
  });
});
