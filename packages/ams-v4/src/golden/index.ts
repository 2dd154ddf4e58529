import type { GoldenHandler } from '@palimpsest/base/golden';
import { contextEncoderCase, timeEncoderCase, topicEncoderCase } from './encoder-cases.js';

/** Recomputes every golden case of this package. */
export const goldenHandlers: readonly GoldenHandler[] = [
  timeEncoderCase,
  topicEncoderCase,
  contextEncoderCase,
];
