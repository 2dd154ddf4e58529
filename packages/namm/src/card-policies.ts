import { transformerOf } from '@palimpsest/backbone';
import type { EvictionPolicy } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { loadPolicy } from './evolution/policy-file.js';
import { policyModel } from './managed/policy-model.js';
import { type Schedule, scheduleOf } from './managed/schedule.js';
import { fullPolicy } from './policy/full.js';
import { nammPolicy } from './policy/namm-policy.js';
import { checkPolicyName, policies, policyByName } from './policy/policies.js';
import type { CachePolicy } from './policy/policy.js';

/** How much a cache may hold and when it is looked through, where a policy leaves it open. */
export const cacheOptions = {
  budget: z.int().min(1).optional().describe('most tokens that a head may keep'),
  updateInterval: z.int().min(1).optional().describe('tokens between two updates'),
  tailShare: z
    .number()
    .positive()
    .optional()
    .describe('an update whenever so many tokens came for each one kept, in place of updateInterval'),
};
const interval = { updateInterval: cacheOptions.updateInterval.unwrap().default(512) };
const { budget, updateInterval, tailShare } = cacheOptions;
const budgeted = z.strictObject({
  budget: budget.unwrap(),
  updateInterval: updateInterval.describe('tokens between two updates (default: 512)'),
  tailShare,
});
/** Tokens between two moments at which a policy that learned nothing may update, where updates are adaptive. */
const HOP = 16;

// The transformer's own window and sinks do the same without a look through the cache.
const { recency: _recency, sinks: _sinks, ...watching } = policies;

/** Policies that need nothing learned, as the command line offers them. */
const handMade: EvictionPolicy[] = Object.entries(watching).map(([name, { title, description }]) => ({
  name,
  title,
  description,
  options: budgeted,
  apply: (model, options) => {
    const { policy, schedule } = budgetedPolicy(name, budgeted.parse(options));
    return policyModel(transformerOf(model, name), policy, schedule);
  },
}));

const full: EvictionPolicy = {
  name: 'full',
  title: 'Full cache',
  description: 'forgets nothing: the cache grows with the text',
  options: z.strictObject(interval),
  apply: (model, options) =>
    policyModel(transformerOf(model, 'full'), fullPolicy(), z.strictObject(interval).parse(options)),
};

const evolvedOptions = z.strictObject({
  policyFile: z.string().describe('file of an evolved policy, or of its evolution'),
  // As the file says, where they are left out.
  ...cacheOptions,
});

type EvolvedOptions = z.output<typeof evolvedOptions>;

const evolved: EvictionPolicy = {
  name: 'namm',
  title: 'NAMM',
  description:
    'keeps what an evolved network that watches the attention scores above zero (Cetin et al. 2024)',
  options: evolvedOptions,
  async apply(model, options) {
    const { policy, schedule } = await evolvedPolicy(evolvedOptions.parse(options));
    return policyModel(transformerOf(model, 'namm'), policy, schedule);
  },
};

/** A policy and when it looks through the cache. */
export interface ScheduledPolicy {
  readonly policy: CachePolicy;
  readonly schedule: Partial<Schedule>;
}

/**
 * When the cache is looked through, as far as the options say.
 * @throws InputError for two answers.
 */
function timesOf(
  { updateInterval, tailShare }: Pick<EvolvedOptions, 'updateInterval' | 'tailShare'>,
  hopLength: number,
): Partial<Schedule> {
  if (tailShare === undefined) return updateInterval === undefined ? {} : { updateInterval };
  if (updateInterval === undefined) return { adaptive: { tailShare, least: 8 * hopLength, hopLength } };
  throw new InputError(
    'The cache is looked through after a fixed number of tokens or a share of what it kept: give updateInterval or tailShare, not both.',
  );
}

function budgetedPolicy(name: string, options: z.output<typeof budgeted>): ScheduledPolicy {
  return { policy: policyByName(name, { size: options.budget }), schedule: timesOf(options, HOP) };
}

async function evolvedPolicy(options: EvolvedOptions): Promise<ScheduledPolicy> {
  const { policyFile, budget, updateInterval, tailShare } = options;
  const { config, parameters, statistics } = await loadPolicy(policyFile);
  const { kind } = config.selection;
  const capped = budget === undefined ? config : { ...config, selection: { kind, cacheSize: budget } };
  const asked = timesOf({ updateInterval, tailShare }, config.hopLength);
  return {
    policy: nammPolicy(capped, { vectors: [parameters], statistics }),
    // Another interval takes pieces that divide it.
    schedule: updateInterval === undefined ? { ...scheduleOf(config), ...asked } : asked,
  };
}

/**
 * The policy that options of the command line name, of those that forget something.
 * @throws InputError for 'full' and a name that nobody has, or an option that is missing or means nothing.
 */
export async function namedPolicy(
  name: string,
  given: { readonly [Key in keyof EvolvedOptions]?: EvolvedOptions[Key] | undefined },
): Promise<ScheduledPolicy> {
  const { policyFile, budget, ...times } = given;
  if (name === 'namm') {
    if (policyFile !== undefined) return evolvedPolicy({ policyFile, budget, ...times });
    throw new InputError(
      "The policy 'namm' needs --policy-file, a file of an evolved policy or of its evolution.",
    );
  }
  if (checkPolicyName(name) === 'full') {
    throw new InputError(
      "The policy 'full' forgets nothing, so that there is nothing to see; name another one.",
    );
  }
  if (policyFile !== undefined) {
    throw new InputError(`--policy-file belongs to the policy 'namm'; '${name}' has learned nothing.`);
  }
  if (budget === undefined) throw new InputError(`The policy '${name}' needs --budget, tokens per head.`);
  return budgetedPolicy(name, { budget, ...times });
}

/** Every rule for what a transformer's cache forgets. */
export const cardPolicies: readonly EvictionPolicy[] = [evolved, ...handMade, full];
