import { gradientHandlers, streamHandler } from './chunks.js';
import { blockHandler, coreHandler, memoryComponentsHandler } from './components.js';
import { derivedHandler } from './derived.js';
import { legacyHandler } from './legacy.js';
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
];
export type * from './types.js';
