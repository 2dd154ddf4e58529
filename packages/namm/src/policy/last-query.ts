import { tf } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

/** Keeps what the newest query looks at (Oren et al. 2024, "TOVA"). */
export const lastQueryPolicy = (budget: Budget): CachePolicy => ({
  name: 'tova',
  config: { policy: 'tova', budget },
  needs: { rows: 1, queries: false },
  score: ({ rows }) => {
    const [batch, heads, queries, tokens] = rows!.shape as [number, number, number, number];
    return tf.reshape(tf.slice(rows!, [0, 0, queries - 1, 0], [batch, heads, 1, tokens]), [
      batch,
      heads,
      tokens,
    ]);
  },
  retention: { kind: 'budget', budget: checkBudget(budget) },
});
