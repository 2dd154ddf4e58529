import { tf } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { type Budget, checkBudget } from './retention.js';

export interface KeyNormOptions {
  readonly budget: Budget;
  /** Layers that keep everything; the paper skips the first two. Default none. */
  readonly skipLayers?: readonly number[];
}

/** Keeps the tokens with the smallest keys, which attract most attention (Devoto et al. 2024). Rotation changes no norm. */
export const keyNormPolicy = ({ budget, skipLayers = [] }: KeyNormOptions): CachePolicy => ({
  name: 'l2',
  config: { policy: 'l2', budget, skipLayers },
  needs: { rows: 0, queries: false },
  manages: (layer) => !skipLayers.includes(layer),
  score: ({ keys }) => tf.neg(tf.sum(tf.square(keys), 3)),
  retention: { kind: 'budget', budget: checkBudget(budget) },
});
