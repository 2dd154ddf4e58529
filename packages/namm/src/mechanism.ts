import type { Mechanism } from '@palimpsest/lm';
import { cardPolicies } from './card-policies.js';
import { policyContenders } from './contender/contenders.js';
import { evolveVerb } from './evolution/verb.js';
import { inspectVerb } from './inspect/verb.js';

/** NAMM, the cache that learns what to forget. */
export const mechanism: Mechanism = {
  name: 'namm',
  title: 'NAMM',
  description:
    'A transformer whose cache forgets what an evolved network, watching its attention, finds useless.',
  memory: 'growing',
  contenders: policyContenders,
  policies: cardPolicies,
  verbs: [evolveVerb, inspectVerb],
  golden: async () => (await import('./golden/index.js')).goldenHandlers,
};
