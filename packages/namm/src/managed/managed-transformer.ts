import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import { type Engine, InputError, type ToDevice, type ToHost } from '@palimpsest/tensor-core';
import { withHeldRows } from '../policy/held-rows.js';
import type { CachePolicy } from '../policy/policy.js';
import { ManagedGraphs } from './graphs.js';
import { ManagedTexts } from './managed-texts.js';
import type { ReadOptions } from './read-options.js';
import { checkSchedule, type Schedule } from './schedule.js';

type Params = ToHost<TransformerParameters> | ToDevice<TransformerParameters>;

/** A transformer, and the policy that decides what its cache forgets. */
export interface ManagedTransformer {
  /** The same model with a cache whose layers and heads hold entries of their own. */
  readonly model: Transformer;
  readonly policy: CachePolicy;
  readonly schedule: Schedule;
  /**
   * Compiles it for an engine; graphs are made when they are first needed.
   * @param params on the host, or on the engine (they stay the caller's)
   */
  compile(engine: Engine, params: Params): ManagedReader;
}

/** A compiled managed transformer. */
export interface ManagedReader {
  /** Texts that are read side by side, before their first token. */
  read(batch: number, options?: ReadOptions): ManagedTexts;
  /** Gives the compiled forms back, once no text is read by them any more. */
  dispose(): Promise<void>;
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
  // The arrays of a managed cache have the size of what they hold; the capacity is only that of an empty one.
  const model = transformer.withCache({ evictable: true, capacity: 1 });
  const held = withHeldRows(policy);
  const checked = checkSchedule(schedule);
  return {
    model,
    policy,
    schedule: checked,
    compile: (engine, params) => {
      const graphs = new ManagedGraphs(engine, model, held, params);
      return {
        read: (batch, readOptions) => new ManagedTexts(graphs, checked, batch, readOptions),
        dispose: () => graphs.release(),
      };
    },
  };
}
