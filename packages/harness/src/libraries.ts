import type { Mechanism, MechanismVerb } from '@palimpsest/lm';
import { indexRecall } from './tasks/index-recall.js';
import { kakeyaRateDistortion } from './tasks/kakeya-rate-distortion.js';
import { sessionViabilityTask } from './tasks/session-viability.js';
import { sketchError } from './tasks/sketch-error.js';
import { longMemEvalVerb, writeLongMemEvalVerb } from './viability/verbs/long-mem-eval-verbs.js';
import { runVerb } from './viability/verbs/run-verb.js';
import { trainAdaptersVerb } from './viability/verbs/train-adapters-verb.js';
import { shrinkVerb, trainBackboneVerb, trainTokenizerVerb } from './viability/verbs/train-verbs.js';

/** Libraries that stand alone: no model, but golden cases and tasks that measure them. */
export const sketch: Mechanism = {
  name: 'sketch',
  title: 'Sketches',
  description: 'CountSketch, TensorSketch, circular convolution.',
  memory: 'none',
  tasks: [sketchError],
  golden: async () => (await import('@palimpsest/sketch/golden')).goldenHandlers,
};

export const kakeya: Mechanism = {
  name: 'kakeya',
  title: 'Kakeya',
  description: 'Compression of vectors and search among them.',
  memory: 'none',
  tasks: [kakeyaRateDistortion],
  golden: async () => (await import('@palimpsest/kakeya/golden')).goldenHandlers,
};

export const fiberGeometry: Mechanism = {
  name: 'fiber-geometry',
  title: 'Fiber geometry',
  description: 'Learned metrics and connections, parallel transport, geodesics, direction indexes.',
  memory: 'none',
  tasks: [indexRecall],
  golden: async () => (await import('@palimpsest/fiber-geometry/golden')).goldenHandlers,
};

export const sessionViability: Mechanism = {
  name: 'session-viability',
  title: 'Session viability',
  description: 'Generated conversations, questions about them, and the gate that a memory has to pass.',
  memory: 'none',
  tasks: [sessionViabilityTask],
  verbs: [
    trainTokenizerVerb,
    trainBackboneVerb,
    trainAdaptersVerb,
    runVerb,
    longMemEvalVerb,
    writeLongMemEvalVerb,
    shrinkVerb,
  ] as readonly MechanismVerb[],
  golden: async () => (await import('./viability/golden-case.js')).viabilityHandlers,
};
