import { InputError, tf } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

export interface WindowAttentionOptions {
  readonly budget: Budget;
  /** Newest queries that vote. Default 64. */
  readonly window?: number;
}

/** Neighbouring entries whose scores are averaged. */
const POOL = 5;

/** Mean over neighbours on the last axis, zeros outside. */
function pooled(scores: tf.Tensor): tf.Tensor {
  const [batch, heads, tokens] = scores.shape as [number, number, number];
  const side = Math.floor(POOL / 2);
  const padded = tf.pad(scores, [
    [0, 0],
    [0, 0],
    [side, side],
  ]);
  const shifted = Array.from({ length: POOL }, (_, by) =>
    tf.slice(padded, [0, 0, by], [batch, heads, tokens]),
  );
  return tf.mul(tf.addN(shifted), 1 / POOL);
}

/** Keeps what the newest queries look at, and those queries' own tokens (Li et al. 2024, "SnapKV"). */
export function windowAttentionPolicy({ budget, window = 64 }: WindowAttentionOptions): CachePolicy {
  if (!Number.isInteger(window) || window < 1) {
    throw new InputError(
      `The window of voting queries is a whole number of at least 1, but ${window} was given.`,
    );
  }
  return {
    name: 'snapkv',
    config: { policy: 'snapkv', budget, window },
    needs: { rows: window, queries: false },
    score: ({ rows, valid }) => {
      const received = tf.mean(rows!, 2);
      const queries = rows!.shape[2]!;
      const ones = tf.cast(valid, 'float32');
      // Entries of the window vote, and are not voted on: what is counted from the newest on.
      const fromNewest = tf.sub(tf.sum(ones, 2, true), tf.cumsum(ones, 2));
      const isOlder = tf.cast(tf.greaterEqual(fromNewest, queries), 'float32');
      return pooled(tf.mul(received, tf.mul(isOlder, ones)));
    },
    retention: {
      kind: 'budget',
      budget: checkBudget(budget),
      protects: () => ({ first: 0, newest: window }),
    },
  };
}
