import type { GoldenHandler } from '@palimpsest/base/golden';
import { attentionCase } from './attention-case.js';
import { contextEncoderCase, timeEncoderCase, topicEncoderCase } from './encoder-cases.js';
import { memoryCase } from './memory-case.js';
import { lossesCase, trainerCase } from './training-cases.js';

/** Recomputes every golden case of this package. */
export const goldenHandlers: readonly GoldenHandler[] = [
  timeEncoderCase,
  topicEncoderCase,
  contextEncoderCase,
  attentionCase,
  memoryCase,
  lossesCase,
  trainerCase,
];
