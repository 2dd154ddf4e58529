import { transformerOf } from '@palimpsest/backbone';
import { fullAttention } from '@palimpsest/backbone/mechanism';
import { type Contender, defineContender } from '@palimpsest/lm';
import { resolveNAMMConfig } from '../config.js';
import type { EvolvedPolicy } from '../evolution/policy-file.js';
import { transferredPolicy } from '../evolution/transfer.js';
import { policyModel } from '../managed/policy-model.js';
import { cacheContender } from './cache-contender.js';
import { recallPolicy } from './recall-policy.js';

/**
 * The policy that the contender brings, at a size of the cache.
 * @throws InputError for an interval that is no multiple of the policy's hop.
 */
export function recallPolicyOf(cacheSize: number, updateInterval: number): EvolvedPolicy {
  const { options, parameters, statistics } = recallPolicy;
  const config = resolveNAMMConfig({
    ...options,
    ...{ updateInterval, maxTokensPerForward: null },
    selection: { kind: 'binary', cacheSize },
  });
  const bytes = Uint8Array.from(atob(parameters), (character) => character.charCodeAt(0));
  return {
    config,
    parameters: new Float32Array(bytes.buffer),
    statistics: statistics.map(({ mean, variance, count }) => ({
      mean: Float32Array.from(mean),
      variance: Float32Array.from(variance),
      count,
    })),
  };
}

/**
 * A transformer under NAMM: a policy that was evolved once, over another and smaller transformer that had learned to recall, and is
 * transferred as it is. Evolving one in every cell would cost more than all the rest of the cell.
 */
export const nammContender: Contender = defineContender({
  ...cacheContender('namm', 'NAMM'),
  description:
    'Full attention while it learns; then its cache keeps what a policy evolved for recall scores high.',
  quick: true,
  create: (need, { budget, updateInterval, ...given }) => {
    const model = transformerOf(fullAttention.create(need, given), 'namm');
    const { policy, schedule } = transferredPolicy(recallPolicyOf(budget, updateInterval), model);
    return policyModel(model, policy, schedule);
  },
});
