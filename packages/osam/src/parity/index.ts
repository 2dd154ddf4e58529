import { languageModelHandlers } from './language-model.js';
import { stepHandler } from './step.js';
import type { ParityHandler } from './types.js';

/** Handlers of every kind of golden case that this package computes. */
export const parityHandlers: readonly ParityHandler[] = [stepHandler, ...languageModelHandlers];
export type * from './types.js';
