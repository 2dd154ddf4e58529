import { generateHandler } from './generate.js';
import { loaderHandler, samplingHandler } from './host-kinds.js';
import { languageModelHandlers } from './language-model.js';
import { stepHandler } from './step.js';
import { trainHandler } from './train.js';
import type { ParityHandler } from './types.js';

/** Handlers of every kind of golden case that this package computes. */
export const parityHandlers: readonly ParityHandler[] = [
  stepHandler,
  ...languageModelHandlers,
  trainHandler,
  generateHandler,
  samplingHandler,
  loaderHandler,
];
export type * from './types.js';
