import { createEngine, type NDArray, ndarray, Rng, tf, treeMap } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { RsmParams } from '../src/parameters.js';
import { difference, evaluate, lively, randomTokens, smallModel } from './support/models.js';

const engine = await createEngine('cpu');
afterAll(() => engine.dispose());

describe.each(['causal', 'parallel'] as const)('dropout of %s', (preset) => {
  const model = smallModel({ preset, dropout: 0.3 });
  const { chunkSize } = model.options;
  // Nothing is read from the memory, so that equal chunks give equal logits unless something is dropped.
  const params = treeMap<NDArray, NDArray>(lively(model), (leaf, path) =>
    /memoryRead\.output/.test(path)
      ? ({ ...leaf, data: new Float32Array(leaf.data.length) } as NDArray)
      : leaf,
  );
  const once = randomTokens(2, chunkSize, model.vocabSize);
  const logits = async (key: NDArray | undefined) => {
    const twice = (weights: RsmParams, ids: tf.Tensor2D, dropoutKey?: tf.Tensor) => {
      const context = { training: true, dropoutKey };
      const tokens = tf.concat([ids, ids], 1) as tf.Tensor2D;
      const { logits: all } = model.forward(weights, tokens, model.initState(weights, 2), context);
      const [first, second] = tf.split(all as tf.Tensor, 2, 1) as [tf.Tensor, tf.Tensor];
      return { first, second };
    };
    const result = await evaluate(engine, twice as never, params, once, ...(key ? [key] : []));
    return result as unknown as Record<'first' | 'second', NDArray>;
  };

  it('is a function of the key, and drops other things in every chunk', async () => {
    const [a, again, b] = [
      await logits(ndarray(Int32Array.of(1, 2), [2], 'int32')),
      await logits(ndarray(Int32Array.of(1, 2), [2], 'int32')),
      await logits(Rng.fromSeed(4).key()),
    ];
    expect(again.first.data).toEqual(a.first.data);
    expect(difference(a.first, a.second)).toBeGreaterThan(0.05);
    expect(difference(a.first, b.first)).toBeGreaterThan(0.05);
  });

  it('is off without a key', async () => {
    const { first, second } = await logits(undefined);
    expect(difference(first, second)).toBeLessThan(1e-6);
  });
});
