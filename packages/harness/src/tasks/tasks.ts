import type { Task } from '@palimpsest/lm';
import { copying, selectiveCopying } from './copying.js';
import { decodingCost } from './decoding-cost.js';
import { induction } from './induction.js';
import { language } from './language.js';
import { madCompression } from './mad-compression.js';
import { madMemorisation } from './mad-memorisation.js';
import { madFuzzyRecall, madNoisyRecall, madRecall } from './mad-recall.js';
import { mqar } from './mqar.js';
import { passkey } from './passkey.js';
import { retrievalDistance } from './retrieval-distance.js';
import { trainingCost } from './training-cost.js';

/** What any model is asked, by family. Mechanisms bring tasks of their own. */
export const tasks: readonly Task[] = [
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
];
