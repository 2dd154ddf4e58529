import { afterAll, describe, expect, test } from 'vitest';
import { crossEntropy, InputError, ndarray, tf } from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

const LOGITS = [
  [0.3, -1.2, 2, 0.7],
  [1.5, 0.1, -0.4, 0],
  [-2, 0.25, 0.5, 1],
];
const LABELS = [2, 0, 3];

/** Weighted mean of the rows' losses and its slopes, in float64. */
function plain(weights: readonly number[]) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const rows = LOGITS.map((row) => {
    const sum = row.reduce((all, x) => all + Math.exp(x), 0);
    return row.map((x) => Math.exp(x) / sum);
  });
  const losses = rows.map((row, r) => -Math.log(row[LABELS[r]!]!));
  const share = (r: number) => (total > 0 ? weights[r]! / total : 0);
  return {
    loss: losses.reduce((sum, loss, r) => sum + share(r) * loss, 0),
    slopes: rows.flatMap((row, r) => row.map((p, c) => share(r) * (p - Number(c === LABELS[r])))),
  };
}

describe.each(engines.map((engine) => [engine.name, engine] as const))(
  'row weights on %s',
  (_name, engine) => {
    const step = engine.compile((logits: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) => {
      const loss = (x: tf.Tensor) => crossEntropy(x, labels, { rowWeights: weights });
      return { loss: loss(logits), slopes: tf.grad(loss)(logits) };
    });

    test.each([[[1, 1, 1]], [[1, 0, 1]], [[0.1, 0.2, 0.3]], [[5, 1e-3, 0]], [[0, 0, 0]]])(
      'weigh the mean and its gradient: %j',
      async (weights) => {
        const { loss, slopes } = await step(
          ndarray(LOGITS.flat(), [3, 4]) as never,
          ndarray(LABELS, [3], 'int32') as never,
          ndarray(weights) as never,
        );
        const expected = plain(weights);
        expect(await loss.item()).toBeCloseTo(expected.loss, 6);
        (await slopes.data()).forEach((slope, index) => {
          expect(slope).toBeCloseTo(expected.slopes[index]!, 6);
        });
      },
    );

    test('of another number than the rows are refused', async () => {
      const wrong = step(
        ndarray(LOGITS.flat(), [3, 4]) as never,
        ndarray(LABELS, [3], 'int32') as never,
        ndarray([1, 2]) as never,
      );
      await expect(wrong).rejects.toThrow(InputError);
    });

    test('a row of weight 0 may have a label that cannot be', async () => {
      const { loss } = await step(
        ndarray([0, Number.NEGATIVE_INFINITY, 0, 0], [2, 2]) as never,
        ndarray([1, 0], [2], 'int32') as never,
        ndarray([0, 1]) as never,
      );
      expect(await loss.item()).toBeCloseTo(Math.log(2), 6);
    });
  },
);
