import { createEngine, type Engine } from '@palimpsest/tensor-core';

let engine: Promise<Engine> | undefined;

/** WebAssembly, or plain JavaScript where there is none with SIMD. */
export function readyEngine(): Promise<Engine> {
  engine ??= createEngine('wasm').catch(() => createEngine('cpu'));
  return engine;
}

/** Lets messages in: what computes without a pause would never hear that it shall stop. */
export const breath = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve);
  });
