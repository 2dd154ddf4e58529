import { InputError, MASKED, softmax, tf } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

export interface ExpectedAttentionOptions {
  readonly budget: Budget;
  /** Coming positions over which the rotation is averaged. Default 512. */
  readonly horizon?: number;
  /** First positions, which always stay and whose queries are left out of the moments. Default 4. */
  readonly first?: number;
}

/**
 * Keeps what coming queries are expected to look at, weighed by the size of its value (Devoto et al. 2025): queries are taken as
 * normal with the moments of those since the last update, turned by the mean rotation of the positions to come.
 */
export function expectedAttentionPolicy({
  budget,
  horizon = 512,
  first = 4,
}: ExpectedAttentionOptions): CachePolicy {
  if (!Number.isInteger(horizon) || horizon < 1) {
    throw new InputError(
      `The horizon is a whole number of positions of at least 1, but ${horizon} was given.`,
    );
  }
  return {
    name: 'expectedAttention',
    config: { policy: 'expectedAttention', budget, horizon, first },
    needs: { rows: 0, queries: true },
    observe: (state, { queries, queryPositions }) => {
      const counted = tf.cast(tf.greaterEqual(queryPositions, tf.scalar(first, 'int32')), 'float32');
      const [batch, time] = counted.shape as [number, number];
      const taken = tf.mul(queries!, tf.reshape(counted, [batch, 1, time, 1]));
      const fresh = {
        count: tf.sum(counted, 1),
        sum: tf.sum(taken, 2),
        squares: tf.matMul(taken, taken, true, false),
      };
      const before = state?.text;
      const add = (name: keyof typeof fresh) => (before ? tf.add(before[name]!, fresh[name]) : fresh[name]);
      return { tokens: {}, text: { count: add('count'), sum: add('sum'), squares: add('squares') } };
    },
    score: ({ keys, values, valid, next, state, rotary }) => {
      const { count, sum, squares } = state!.text!;
      const [batch, queryHeads, width] = sum!.shape as [number, number, number];
      const [, heads, tokens] = keys.shape as [number, number, number, number];
      const group = queryHeads / heads;
      const share = tf.div(1, tf.maximum(tf.reshape(count!, [batch, 1, 1]), 1));
      const mean = tf.mul(sum!, share);
      const outer = tf.mul(tf.expandDims(mean, 3), tf.expandDims(mean, 2));
      const covariance = tf.sub(tf.mul(squares!, tf.expandDims(share, 3)), outer);
      const turn = rotary
        ? meanRotation(rotary, next, horizon)
        : tf.reshape(tf.eye(width), [1, 1, width, width]);
      const turnedMean = tf.matMul(turn, tf.expandDims(mean, 3));
      const turnedCovariance = tf.matMul(tf.matMul(turn, covariance), turn, false, true);
      const grouped = tf.reshape(tf.tile(tf.expandDims(keys, 2), [1, 1, group, 1, 1]), [
        batch,
        queryHeads,
        tokens,
        width,
      ]);
      const linear = tf.mul(tf.matMul(grouped, turnedMean), 1 / Math.sqrt(width));
      const quadratic = tf.mul(
        tf.sum(tf.mul(tf.matMul(grouped, turnedCovariance), grouped), 3, true),
        1 / (2 * width),
      );
      const logits = tf.reshape(tf.add(linear, quadratic), [batch, heads, group, tokens]);
      const hidden = tf.mul(tf.sub(1, tf.cast(valid, 'float32')), MASKED);
      const expected = tf.mean(softmax(tf.add(logits, tf.expandDims(hidden, 2))), 2);
      return tf.mul(expected, tf.sqrt(tf.sum(tf.square(values), 3)));
    },
    afterUpdate: () => ({ tokens: {} }),
    retention: {
      kind: 'budget',
      budget: checkBudget(budget),
      protects: () => ({ first, newest: 1 }),
    },
  };
}

/** Mean over the coming positions of the matrix that rotates halves: `[batch, 1, width, width]`. */
function meanRotation(frequencies: Float32Array, next: tf.Tensor, horizon: number): tf.Tensor {
  const batch = next.shape[0]!;
  const half = frequencies.length;
  const steps = tf.reshape(tf.range(0, horizon, 1), [1, horizon, 1]);
  const places = tf.add(tf.reshape(tf.cast(next, 'float32'), [batch, 1, 1]), steps);
  const angles = tf.mul(places, tf.reshape(tf.tensor1d(frequencies), [1, 1, half]));
  const [cos, sin] = [tf.cos(angles), tf.sin(angles)].map((x) =>
    tf.mul(tf.reshape(tf.mean(x, 1), [batch, 1, half, 1]), tf.reshape(tf.eye(half), [1, 1, half, half])),
  ) as [tf.Tensor, tf.Tensor];
  return tf.concat([tf.concat([cos, tf.neg(sin)], 3), tf.concat([sin, cos], 3)], 2);
}
