import type { Task } from '@palimpsest/lm';
import { copying, selectiveCopying } from './copying.js';
import { decodingCost } from './decoding-cost.js';
import { indexRecall } from './index-recall.js';
import { induction } from './induction.js';
import { kakeyaRateDistortion } from './kakeya-rate-distortion.js';
import { language } from './language.js';
import { madCompression } from './mad-compression.js';
import { madMemorisation } from './mad-memorisation.js';
import { madFuzzyRecall, madNoisyRecall, madRecall } from './mad-recall.js';
import { mqar } from './mqar.js';
import { parity } from './parity.js';
import { passkey } from './passkey.js';
import { retrievalDistance } from './retrieval-distance.js';
import { sketchError } from './sketch-error.js';
import { trainingCost } from './training-cost.js';

/** Every task of the house, by family. */
export const tasks: readonly Task[] = [
  parity,
  mqar,
  induction,
  copying,
  selectiveCopying,
  madRecall,
  madFuzzyRecall,
  madNoisyRecall,
  madCompression,
  madMemorisation,
  passkey,
  retrievalDistance,
  language,
  trainingCost,
  decodingCost,
  sketchError,
  kakeyaRateDistortion,
  indexRecall,
];
