import { gradientHandlers, streamHandler } from './chunks.js';
import { blockHandler, coreHandler, memoryComponentsHandler } from './components.js';
import { datasetsHandler } from './datasets.js';
import { derivedHandler } from './derived.js';
import { generateHandler } from './generate.js';
import { legacyHandler } from './legacy.js';
import { samplingHandler } from './sampling.js';
import { trainHandler } from './train.js';
import type { ParityHandler } from './types.js';

/** Handlers of every kind of golden case that this package computes. */
export const parityHandlers: readonly ParityHandler[] = [
  coreHandler,
  memoryComponentsHandler,
  blockHandler,
  streamHandler,
  ...gradientHandlers,
  legacyHandler,
  derivedHandler,
  trainHandler,
  generateHandler,
  samplingHandler,
  datasetsHandler,
];
export type * from './types.js';
