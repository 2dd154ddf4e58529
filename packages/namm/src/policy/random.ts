import { Rng, tf } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

export interface RandomOptions {
  readonly budget: Budget;
  /** Default 0. */
  readonly seed?: number;
}

/** Positions, layers and heads that have priorities of their own; far-off ones share them. */
const PRIORITIES = 2 ** 15;

/**
 * Keeps tokens at random, the control: every token has one uniform priority per layer and head for as long as it lives.
 */
export const randomPolicy = ({ budget, seed = 0 }: RandomOptions): CachePolicy => {
  const priorities = Rng.fromSeed(seed).uniformArray([PRIORITIES]);
  return {
    name: 'random',
    config: { policy: 'random', budget, seed },
    needs: { rows: 0, queries: false },
    parameters: ({ layer, heads }) => {
      // Far from each other, so that no two heads draw alike within a long text.
      const starts = Int32Array.from(
        { length: heads },
        (_, head) => ((layer * heads + head) * 12_289) % PRIORITIES,
      );
      return { priorities, starts: { data: starts, shape: [1, heads, 1], dtype: 'int32' } };
    },
    score: ({ positions, parameters }) => {
      const places = tf.maximum(positions, tf.scalar(0, 'int32'));
      const index = tf.mod(tf.add(places, parameters.starts!), tf.scalar(PRIORITIES, 'int32'));
      return tf.reshape(tf.gather(parameters.priorities!, tf.reshape(index, [-1])), positions.shape);
    },
    retention: { kind: 'budget', budget: checkBudget(budget) },
  };
};
