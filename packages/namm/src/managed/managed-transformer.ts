import { createTransformer, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { type Engine, InputError, type ToDevice, type ToHost } from '@palimpsest/tensor-core';
import { withHeldRows } from '../policy/held-rows.js';
import type { CachePolicy } from '../policy/policy.js';
import { ROOM } from './extents.js';
import { ManagedGraphs } from './graphs.js';
import { ManagedTexts, type ReadOptions } from './managed-texts.js';
import { checkSchedule, type Schedule } from './schedule.js';

type Params = ToHost<TransformerParameters> | ToDevice<TransformerParameters>;

/** A transformer, and the policy that decides what its cache forgets. */
export interface ManagedTransformer {
  /** The same model with a cache whose layers and heads hold entries of their own. */
  readonly model: Transformer;
  readonly policy: CachePolicy;
  readonly schedule: Schedule;
  /**
   * Texts that are read side by side.
   * @param params on the host, or on the engine (they stay the caller's)
   */
  read(engine: Engine, params: Params, batch: number, options?: ReadOptions): ManagedTexts;
}

/**
 * Puts the cache of a transformer under a policy. Weights stay what they are.
 * @param schedule when the cache is looked through; default: every 512 tokens, prompts in pieces of 128
 * @throws InputError for a model whose cache forgets by itself.
 */
export function manageTransformer(
  transformer: Transformer,
  policy: CachePolicy,
  schedule: Partial<Schedule> = {},
): ManagedTransformer {
  const { options } = transformer;
  if (options.window > 0) {
    throw new InputError(
      `A policy decides what is forgotten, but this transformer has a window of ${options.window}; take one of full attention.`,
    );
  }
  if (options.positions === 'learned') {
    throw new InputError(
      `A policy lets a text grow beyond any length, but learned positions end at ${options.context}; take a transformer of rotary or sinusoidal positions.`,
    );
  }
  // The arrays of a managed cache have the size of what they hold; the capacity is only that of an empty one.
  const model = createTransformer({ ...options, evictable: true, capacity: 1 });
  const held = withHeldRows(policy);
  const checked = checkSchedule(schedule);
  const room = Math.min(ROOM, checked.updateInterval);
  return {
    model,
    policy,
    schedule: checked,
    read: (engine, params, batch, readOptions) =>
      new ManagedTexts(new ManagedGraphs(engine, model, held, params, room), checked, batch, readOptions),
  };
}
