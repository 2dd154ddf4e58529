import type { GoldenPart } from '@palimpsest/base/golden';
import { chunkHandlers } from './chunks.js';
import { componentHandlers } from './components.js';
import { datasetsHandler } from './datasets.js';
import { derivedHandler } from './derived.js';
import { generateHandler } from './generate.js';
import { legacyHandler } from './legacy.js';
import { samplingHandler } from './sampling.js';
import statements from './statements.json';
import { trainHandler } from './train.js';

/** Handlers of every kind of golden case of this mechanism, and what cases say in words only. */
export const goldenHandlers: readonly GoldenPart[] = [
  ...componentHandlers,
  ...chunkHandlers,
  legacyHandler,
  derivedHandler,
  trainHandler,
  generateHandler,
  samplingHandler,
  datasetsHandler,
  ...statements,
];
