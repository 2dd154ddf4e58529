import type { GoldenPart } from '@palimpsest/base/golden';
import { bundleHandlers } from './bundle-handlers.js';
import { connectionHandlers } from './connection-handlers.js';
import { geodesicHandlers } from './geodesic-handlers.js';
import { indexHandlers } from './index-handlers.js';
import { manifoldHandlers } from './manifold-handlers.js';
import { optimiserHandlers } from './optimiser-handlers.js';
import statements from './statements.json';
import { storeHandlers } from './store-handlers.js';
import { tensorHandlers } from './tensor-handlers.js';

/** One handler per kind of golden case, and what cases say in words only. */
export const goldenHandlers: readonly GoldenPart[] = [
  ...tensorHandlers,
  ...geodesicHandlers,
  ...bundleHandlers,
  ...manifoldHandlers,
  ...connectionHandlers,
  ...optimiserHandlers,
  ...indexHandlers,
  ...storeHandlers,
  ...statements,
];
