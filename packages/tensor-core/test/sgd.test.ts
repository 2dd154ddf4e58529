import { type NDArray, ndarray } from '@palimpsest/base';
import { afterAll, expect, it } from 'vitest';
import { createEngine, sgd, tf } from '../src/index.js';

const engine = await createEngine('cpu');
afterAll(() => engine.dispose());

it('descends by the gradient, decays apart from it, and leaves alone what has none', async () => {
  const optimizer = sgd({
    weightDecay: 0.5,
    groups: [{ match: (path) => path === 'b', weightDecay: 0, rateMultiplier: 3 }],
  });
  const params = { a: ndarray([2, -4], [2]), b: ndarray([1], [1]), c: ndarray([7], [1]) };
  const step = engine.compile((weights: Record<'a' | 'b' | 'c', tf.Tensor>) => {
    const gradients = { a: tf.tensor1d([10, 20]), b: tf.tensor1d([1]), c: undefined };
    const next = optimizer.update(
      weights,
      gradients,
      { step: tf.scalar(4) },
      { learningRate: tf.scalar(0.1) },
    );
    return next as { parameters: typeof weights; state: { step: tf.Tensor } };
  });
  const { parameters, state } = await step(params);
  const values = async (array: { toHost(): Promise<NDArray> }) =>
    [...(await array.toHost()).data].map(Number);
  // 2 (1 - 0.05) - 1 and -4 (1 - 0.05) - 2; 1 - 0.3; untouched.
  expect((await values(parameters.a)).map((value) => value.toFixed(5))).toEqual(['0.90000', '-5.80000']);
  expect((await values(parameters.b))[0]).toBeCloseTo(0.7, 6);
  expect(await values(parameters.c)).toEqual([7]);
  expect(await values(state.step)).toEqual([5]);
  expect(() => sgd({ weightDecay: -1 })).toThrow('a weight decay of 0 or more');
});
