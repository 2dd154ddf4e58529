import { transformerOf } from '@palimpsest/backbone';
import { fullAttention } from '@palimpsest/backbone/mechanism';
import { type Contender, defineContender } from '@palimpsest/lm';
import { policyModel } from '../managed/policy-model.js';
import { type PolicyName, policies, policyByName } from '../policy/policies.js';
import { cacheContender } from './cache-contender.js';
import { nammContender } from './namm-contender.js';

/**
 * A transformer that learns with its whole cache, and is asked while a policy empties it: what a policy costs a model that
 * was not made for it.
 */
function policyContender(name: Exclude<PolicyName, 'full'>): Contender {
  const { title, description } = policies[name];
  return defineContender({
    ...cacheContender(name, title.toLowerCase()),
    description: `Full attention while it learns; then its cache ${description}.`,
    quick: name === 'h2o',
    create: (need, { budget, updateInterval, ...given }) => {
      const model = transformerOf(fullAttention.create(need, given), name);
      return policyModel(model, policyByName(name, { size: budget }), { updateInterval });
    },
  });
}

/** A transformer under every policy: those that need nothing learned, and NAMM. */
export const policyContenders: readonly Contender[] = [
  ...(Object.keys(policies) as (keyof typeof policies)[]).map(policyContender),
  nammContender,
];
