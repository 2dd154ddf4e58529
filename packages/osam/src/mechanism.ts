import type { Mechanism } from '@palimpsest/lm';
import { osam } from './architecture.js';
import { contenders } from './contenders.js';
import { inspectOsam } from './inspection.js';

/** The One-Shot Algebraic Map as the house knows it. */
export const mechanism: Mechanism = {
  name: 'osam',
  title: 'OSAM',
  description: 'One-Shot Algebraic Map: the whole text in two sums of fixed size, read by algebra.',
  memory: 'fixed',
  architectures: [osam],
  contenders,
  inspect: inspectOsam,
  golden: async () => (await import('./golden/index.js')).goldenHandlers,
};
