import type { Mechanism, MechanismVerb } from '@palimpsest/lm';
import { createAgentMemory } from './agent/agent-memory.js';
import { openSpokenMemory } from './agent/spoken-memory.js';
import { locomoVerb } from './verbs/locomo.js';
import { addVerb, askVerb, exportVerb, forgetVerb, listVerb, searchVerb } from './verbs/memory-verbs.js';
import { serveVerb } from './verbs/serve.js';
import { trainVerb } from './verbs/train.js';

/** AMS v4: an agent's memory. */
export const mechanism: Mechanism = {
  name: 'ams-v4',
  title: 'AMS v4',
  description:
    "An agent's memory outside of the context window: three fiber bundles find what is kept in Kakeya sets.",
  memory: 'growing',
  textMemories: [
    {
      name: 'ams',
      title: "An agent's memory",
      description:
        'what was said is kept in a folder; what is found of it by its words stands in the prompt, or with adapters as keys and values before it',
      open: (folder) => createAgentMemory('none', { folder }),
      openOver: openSpokenMemory,
    },
  ],
  verbs: [
    addVerb,
    searchVerb,
    askVerb,
    listVerb,
    forgetVerb,
    exportVerb,
    locomoVerb,
    serveVerb,
    trainVerb,
  ] as readonly MechanismVerb[],
  golden: async () => (await import('./golden/index.js')).goldenHandlers,
};
