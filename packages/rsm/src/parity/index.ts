import { gradientHandlers, streamHandler } from './chunks.js';
import { blockHandler, coreHandler, memoryComponentsHandler } from './components.js';
import type { ParityHandler } from './types.js';

/** Handlers of every kind of golden case that this package computes. */
export const parityHandlers: readonly ParityHandler[] = [
  coreHandler,
  memoryComponentsHandler,
  blockHandler,
  streamHandler,
  ...gradientHandlers,
];
export type * from './types.js';
