import type { Mechanism } from '@palimpsest/lm';
import { transformerArchitecture } from './architecture.js';
import { attentionSinks, fullAttention, slidingWindow } from './contenders.js';
import { sinksMemory, windowMemory } from './memories.js';

export { fullAttention };

/** Full attention: the memory that grows with the text, and what other memories are compared with. */
export const mechanism: Mechanism = {
  name: 'transformer',
  title: 'Transformer',
  description: fullAttention.description,
  memory: 'growing',
  isControl: true,
  architectures: [transformerArchitecture],
  contenders: [fullAttention],
  golden: async () => (await import('../golden/index.js')).goldenHandlers,
};

/** The same decoder with a cache of fixed size: the newest tokens. */
export const slidingWindowMechanism: Mechanism = {
  name: 'transformer-window',
  title: 'Sliding window',
  description: slidingWindow.description,
  memory: 'fixed',
  isControl: true,
  contenders: [slidingWindow],
  policies: [windowMemory],
};

/** The newest tokens and the first few, on which attention rests. */
export const attentionSinksMechanism: Mechanism = {
  name: 'transformer-sinks',
  title: 'Window and attention sinks',
  description: attentionSinks.description,
  memory: 'fixed',
  isControl: true,
  contenders: [attentionSinks],
  policies: [sinksMemory],
};
