import { InputError } from '@palimpsest/tensor-core';
import type { CachePolicy } from './policy.js';
import { recencyPolicy } from './recency.js';
import { type Budget, checkBudget } from './retention.js';

export interface SinksOptions {
  readonly budget: Budget;
  /** First tokens that stay. Default 4. */
  readonly sinks?: number;
  /** Positions at which keys were rotated. Keys are cached rotated, so that only 'original' (the default) is at hand. */
  readonly positionMode?: 'original' | 'cacheRelative';
}

/** Keeps the first few tokens, on which attention rests, and the newest (Xiao et al. 2024, "StreamingLLM"). */
export function sinksPolicy({ budget, sinks = 4, positionMode = 'original' }: SinksOptions): CachePolicy {
  if (positionMode !== 'original') {
    throw new InputError(
      `Positions relative to the cache need keys that are stored before rotation, but a cache stores them rotated; choose positionMode 'original', not '${positionMode}'.`,
    );
  }
  if (!Number.isInteger(sinks) || sinks < 0) {
    throw new InputError(`The number of sinks is a whole number of at least 0, but ${sinks} was given.`);
  }
  return {
    ...recencyPolicy(budget),
    name: 'sinks',
    config: { policy: 'sinks', budget, sinks },
    retention: {
      kind: 'budget',
      budget: checkBudget(budget),
      protects: () => ({ first: sinks, newest: 1 }),
    },
  };
}
