import type { tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import { type Dropout, noDropout } from './dropout.js';
import { type PassPlan, passPlans } from './plan.js';
import { PassAngles } from './rotary.js';

/** Told the attention probabilities `[l·H, batch, queries, keys]` of every pass. */
export type AttentionWatcher = (pass: number, probabilities: tf.Tensor) => void;

/** What one call of the model needs besides parameters: plans, constants, dropout. */
export interface Setup {
  readonly config: OmConfig;
  readonly plans: readonly PassPlan[];
  /** Of the passes with a rotary embedder. */
  readonly angles: readonly (PassAngles | undefined)[];
  readonly drop: Dropout;
  readonly watch?: AttentionWatcher | undefined;
}

/** Makes the constants of one call; inside a traced function they become part of its graph once. */
export function createSetup(
  config: OmConfig,
  {
    drop = noDropout,
    watch,
  }: { readonly drop?: Dropout | undefined; readonly watch?: AttentionWatcher | undefined } = {},
): Setup {
  const plans = passPlans(config);
  return {
    config,
    plans,
    angles: plans.map((plan) => (plan.rope ? new PassAngles(config, plan) : undefined)),
    drop,
    watch,
  };
}

/** Every leaf of a tree of tensors, changed. */
