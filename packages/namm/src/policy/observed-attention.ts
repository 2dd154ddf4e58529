import { InputError, tf } from '@palimpsest/tensor-core';
import { padTokens } from '../features/attention-rows.js';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

export interface ObservedAttentionOptions {
  readonly budget: Budget;
  /** Share of the budget that the newest tokens have for themselves. Default 0.5. */
  readonly recentFraction?: number;
}

const LANES = 4;

/**
 * Sum over the queries, in four lanes that are added up one after the other: an order of float32 additions that is the same on
 * every engine, so that equal sums never rank apart.
 * @param rows `[batch, heads, queries, tokens]`
 * @returns `[batch, heads, 1, tokens]`
 */
function orderedSum(rows: tf.Tensor): tf.Tensor {
  const [batch, heads, queries, tokens] = rows.shape as [number, number, number, number];
  const missing = (LANES - (queries % LANES)) % LANES;
  const whole =
    missing === 0
      ? rows
      : tf.pad(rows, [
          [0, 0],
          [0, 0],
          [0, missing],
          [0, 0],
        ]);
  const part = (x: tf.Tensor, from: number, count: number) =>
    tf.slice(x, [0, 0, from, 0], [batch, heads, count, tokens]);
  let lanes = part(whole, 0, LANES);
  for (let from = LANES; from < queries; from += LANES) lanes = tf.add(lanes, part(whole, from, LANES));
  let sum = part(lanes, 0, 1);
  for (let lane = 1; lane < LANES; lane++) sum = tf.add(sum, part(lanes, lane, 1));
  return sum;
}

/** Keeps the tokens that received most attention in all, and the newest (Zhang et al. 2023, "H2O"). */
export function observedAttentionPolicy({
  budget,
  recentFraction = 0.5,
}: ObservedAttentionOptions): CachePolicy {
  if (!(recentFraction >= 0 && recentFraction <= 1)) {
    throw new InputError(`recentFraction is a share between 0 and 1, but ${recentFraction} was given.`);
  }
  return {
    name: 'h2o',
    config: { policy: 'h2o', budget, recentFraction },
    needs: { rows: 'all', queries: false },
    observe: (state, { rows }) => {
      const received = orderedSum(rows!);
      const before = state?.tokens.received;
      return {
        tokens: { received: before ? tf.add(padTokens(before, received.shape[3]!), received) : received },
      };
    },
    score: ({ state }) => {
      const { received } = state!.tokens;
      const [batch, heads, , tokens] = received!.shape as [number, number, number, number];
      return tf.reshape(received!, [batch, heads, tokens]);
    },
    retention: {
      kind: 'budget',
      budget: checkBudget(budget),
      protects: (size) => ({ first: 0, newest: Math.max(1, Math.floor(size * recentFraction)) }),
    },
  };
}
