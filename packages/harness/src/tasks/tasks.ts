import type { Task } from '../cells/task.js';
import { decodingCost } from './decoding-cost.js';
import { indexRecall } from './index-recall.js';
import { kakeyaRateDistortion } from './kakeya-rate-distortion.js';
import { parity } from './parity.js';
import { sketchError } from './sketch-error.js';
import { trainingCost } from './training-cost.js';

/** Every task of the house, by family. */
export const tasks: readonly Task[] = [
  parity,
  trainingCost,
  decodingCost,
  sketchError,
  kakeyaRateDistortion,
  indexRecall,
];
