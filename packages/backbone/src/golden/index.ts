import type { GoldenHandler } from '@palimpsest/base/golden';
import { backboneHandler } from './backbone-handler.js';
import { tokenizersHandler } from './tokenizers-handler.js';

/** Handlers of every kind of golden case of this package. */
export const goldenHandlers: readonly GoldenHandler[] = [backboneHandler, tokenizersHandler];
