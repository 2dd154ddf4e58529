import type { ParityHandler } from './types.js';

/** The parity handlers of every package of the house. */
export async function parityHandlers(): Promise<readonly ParityHandler[]> {
  return [];
}
