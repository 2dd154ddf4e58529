import { tf } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

/** Keeps the newest tokens. */
export const recencyPolicy = (budget: Budget): CachePolicy => ({
  name: 'recency',
  config: { policy: 'recency', budget },
  needs: { rows: 0, queries: false },
  score: ({ positions }) => tf.cast(positions, 'float32'),
  retention: { kind: 'budget', budget: checkBudget(budget) },
});
