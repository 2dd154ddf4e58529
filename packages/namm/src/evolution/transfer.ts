import type { Transformer } from '@palimpsest/backbone';
import { InputError } from '@palimpsest/base';
import { type ManagedTransformer, manageTransformer } from '../managed/managed-transformer.js';
import { type Schedule, scheduleOf } from '../managed/schedule.js';
import { nammPolicy } from '../policy/namm-policy.js';
import type { CachePolicy } from '../policy/policy.js';
import type { EvolvedPolicy } from './policy-file.js';
import type { PopulationRunner } from './trial.js';

/**
 * A policy that was evolved over one transformer as one for another, and when it looks through its cache.
 * @throws InputError for parameters of single layers or heads, or statistics of another number of layers.
 */
export function transferredPolicy(
  { config, parameters, statistics }: EvolvedPolicy,
  { options: { layers } }: Transformer,
): { readonly policy: CachePolicy; readonly schedule: Schedule } {
  if (config.paramSharing !== 'shared') {
    throw new InputError(
      `Parameters of this policy are '${config.paramSharing}', so they belong to the layers of one model; only shared ones can be transferred.`,
    );
  }
  if (config.normalise && statistics && statistics.length > 1 && statistics.length !== layers) {
    throw new InputError(
      `Statistics of ${statistics.length} layers do not fit a model of ${layers}; estimate them on text of that model (recalibrate).`,
    );
  }
  return { policy: nammPolicy(config, { vectors: [parameters], statistics }), schedule: scheduleOf(config) };
}

/**
 * Puts a policy that was evolved over one transformer over another, of whatever depth, heads, head width and vocabulary: what
 * it watches has none of them.
 * @throws InputError as `transferredPolicy`, and for a model whose cache cannot be managed.
 */
export function transferNamm(evolved: EvolvedPolicy, model: Transformer): ManagedTransformer {
  const { policy, schedule } = transferredPolicy(evolved, model);
  return manageTransformer(model, policy, schedule);
}

/**
 * Estimates the statistics of a policy anew, on texts without questions.
 * @param runner over the model that the policy shall manage
 * @param texts ids, each longer than an update interval
 * @throws InputError when no text is long enough for an update.
 */
export async function recalibrate(
  policy: EvolvedPolicy,
  runner: PopulationRunner,
  texts: readonly Int32Array[],
): Promise<EvolvedPolicy> {
  const trials = texts.map((prompt) => ({ prompt, maxNewTokens: 0 }));
  const { parameters, statistics: former } = policy;
  const { statistics } = await runner.run({
    vectors: [parameters],
    trials,
    collect: true,
    ...(former && former.length === 1 && { statistics: former }),
  });
  if (!statistics) {
    throw new InputError(
      `Statistics are estimated at updates, which come every ${policy.config.updateInterval} tokens; give at least one longer text.`,
    );
  }
  return { ...policy, statistics };
}
