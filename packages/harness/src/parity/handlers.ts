import { parityHandlers as fiberGeometry } from '@palimpsest/fiber-geometry';
import type { ParityHandler } from './types.js';

/** The parity handlers of every package of the house. */
export const parityHandlers: readonly ParityHandler[] = [...fiberGeometry];
