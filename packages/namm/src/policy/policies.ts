import { InputError } from '@palimpsest/tensor-core';
import { expectedAttentionPolicy } from './expected-attention.js';
import { fullPolicy } from './full.js';
import { keyNormPolicy } from './key-norm.js';
import { lastQueryPolicy } from './last-query.js';
import { observedAttentionPolicy } from './observed-attention.js';
import type { CachePolicy } from './policy.js';
import { randomPolicy } from './random.js';
import { recencyPolicy } from './recency.js';
import type { Budget } from './retention.js';
import { sinksPolicy } from './sinks.js';
import { windowAttentionPolicy } from './window-attention.js';

interface PolicyKind {
  readonly title: string;
  readonly description: string;
  make(budget: Budget, seed: number): CachePolicy;
}

/** Policies that need nothing learned, by name. */
export const policies = {
  random: {
    title: 'Random eviction',
    description: 'keeps tokens at random: the control',
    make: (budget, seed) => randomPolicy({ budget, seed }),
  },
  recency: {
    title: 'Recency',
    description: 'keeps the newest tokens',
    make: (budget) => recencyPolicy(budget),
  },
  sinks: {
    title: 'Recency and sinks',
    description: 'keeps the first four tokens and the newest (Xiao et al. 2024)',
    make: (budget) => sinksPolicy({ budget }),
  },
  l2: {
    title: 'Key norm',
    description: 'keeps the tokens with the smallest keys (Devoto et al. 2024)',
    make: (budget) => keyNormPolicy({ budget }),
  },
  h2o: {
    title: 'Observed attention',
    description: 'keeps what received most attention, and the newest (Zhang et al. 2023)',
    make: (budget) => observedAttentionPolicy({ budget }),
  },
  snapkv: {
    title: 'Window attention',
    description: 'keeps what the newest 64 queries look at (Li et al. 2024)',
    make: (budget) => windowAttentionPolicy({ budget }),
  },
  tova: {
    title: 'Last query',
    description: 'keeps what the newest query looks at (Oren et al. 2024)',
    make: (budget) => lastQueryPolicy(budget),
  },
  expectedAttention: {
    title: 'Expected attention',
    description: 'keeps what coming queries are expected to look at (Devoto et al. 2025)',
    make: (budget) => expectedAttentionPolicy({ budget }),
  },
} satisfies Record<string, PolicyKind>;

export type PolicyName = keyof typeof policies | 'full';

const isPolicyName = (name: string): name is keyof typeof policies => Object.hasOwn(policies, name);

/** @throws InputError for a name that nobody has. */
export function checkPolicyName(name: string): PolicyName {
  if (name === 'full' || isPolicyName(name)) return name;
  throw new InputError(
    `There is no eviction policy '${name}'; the policies are full, ${Object.keys(policies).join(', ')}, and NAMM's own.`,
  );
}

/**
 * A policy by its name.
 * @throws InputError for a name that nobody has.
 */
export function policyByName(name: string, budget: Budget, seed = 0): CachePolicy {
  const known = checkPolicyName(name);
  return known === 'full' ? fullPolicy() : policies[known].make(budget, seed);
}
