import { fullAttention } from '@palimpsest/backbone/mechanism';
import type { ModelNeed } from '@palimpsest/lm';
import { z } from 'zod';

const options = fullAttention.options.extend({
  budget: z.int().min(1).default(32).describe('tokens that every key/value head keeps at an update'),
  updateInterval: z.int().min(1).default(8).describe('tokens between two updates of the cache'),
});
type CacheContenderOptions = z.output<typeof options>;

/** What the pictures of recall against bytes show: the same weights with less and less memory. */
const memorySizes = [{ budget: 8 }, { budget: 16 }, { budget: 24 }];

/** What all transformers have in common that learn with their whole cache, and are asked while a policy empties it. */
export const cacheContender = (name: string, title: string) => ({
  name: `cache-${name}`,
  title: `Transformer, ${title}`,
  mechanism: `cache-${name}`,
  kind: 'trained' as const,
  options,
  memorySizes,
  learningRate: fullAttention.learningRate,
  parameterMatched: fullAttention.parameterMatched,
  learner: (need: ModelNeed, given: CacheContenderOptions) => fullAttention.create(need, given),
});
