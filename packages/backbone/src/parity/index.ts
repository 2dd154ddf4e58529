import { backboneHandler } from './backbone-handler.js';
import type { ParityHandler } from './contract.js';
import { tokenizersHandler } from './tokenizers-handler.js';

/** Handlers of every kind of golden case of this package. */
export const parityHandlers: readonly ParityHandler[] = [backboneHandler, tokenizersHandler];
export type * from './contract.js';
