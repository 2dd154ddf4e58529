import type { GoldenHandler } from '@palimpsest/base/golden';
import { bundleHandlers } from './bundle-handlers.js';
import { connectionHandlers } from './connection-handlers.js';
import { geodesicHandlers } from './geodesic-handlers.js';
import { indexHandlers } from './index-handlers.js';
import { manifoldHandlers } from './manifold-handlers.js';
import { optimiserHandlers } from './optimiser-handlers.js';
import { storeHandlers } from './store-handlers.js';
import { tensorHandlers } from './tensor-handlers.js';

/** One handler per kind of golden case. */
export const goldenHandlers: GoldenHandler[] = [
  ...tensorHandlers,
  ...geodesicHandlers,
  ...bundleHandlers,
  ...manifoldHandlers,
  ...connectionHandlers,
  ...optimiserHandlers,
  ...indexHandlers,
  ...storeHandlers,
];
