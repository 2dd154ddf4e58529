import { transformerOf } from '@palimpsest/backbone';
import { fullAttention } from '@palimpsest/backbone/mechanism';
import { type Contender, defineContender, type ModelNeed } from '@palimpsest/lm';
import { z } from 'zod';
import { policyModel } from './managed/policy-model.js';
import { type PolicyName, policies, policyByName } from './policy/policies.js';

const options = fullAttention.options.extend({
  budget: z.int().min(1).default(32).describe('tokens that every key/value head keeps at an update'),
  updateInterval: z.int().min(1).default(8).describe('tokens between two updates of the cache'),
});
type Options = z.output<typeof options>;

/** What the pictures of recall against bytes show: the same weights with less and less memory. */
const memorySizes = [{ budget: 8 }, { budget: 16 }, { budget: 24 }];

/**
 * A transformer that learns with its whole cache, and is asked while a policy empties it: what a policy costs a model that
 * was not made for it.
 */
function policyContender(name: Exclude<PolicyName, 'full'>): Contender {
  const { title, description } = policies[name];
  const learner = (need: ModelNeed, given: Options) => fullAttention.create(need, given);
  return defineContender({
    name: `cache-${name}`,
    title: `Transformer, ${title.toLowerCase()}`,
    mechanism: `cache-${name}`,
    description: `Full attention while it learns; then its cache ${description}.`,
    kind: 'trained',
    options,
    memorySizes,
    learningRate: fullAttention.learningRate,
    quick: name === 'h2o',
    create: (need, given) => {
      const { budget, updateInterval } = given;
      const model = transformerOf(learner(need, given), name);
      return policyModel(model, policyByName(name, { size: budget }), { updateInterval });
    },
    learner,
  });
}

/** A transformer under every policy that needs nothing learned. */
export const policyContenders: readonly Contender[] = (
  Object.keys(policies) as (keyof typeof policies)[]
).map(policyContender);
