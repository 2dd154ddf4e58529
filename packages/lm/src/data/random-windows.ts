import { full, InputError, Rng, type RngState, zeros } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';
import type { Batch, BatchSource } from './batch.js';
import type { RandomSource } from './random-source.js';

export interface WindowOptions {
  readonly batch: number;
  /** Tokens per window. */
  readonly time: number;
  readonly seed?: number;
  /** Random numbers in place of those of the seed; a later `seek` goes back to an `Rng`. */
  readonly random?: RandomSource;
}

/**
 * Windows of `time + 1` tokens at independent uniform places: every window of the text, the last one included, is equally
 * likely. Each begins with a fresh memory.
 */
export class RandomWindows implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = false;
  readonly hasIgnoredTargets = false;
  readonly #ids: Int32Array;
  #rng: RandomSource;

  /** @throws InputError when the text is shorter than one window. */
  constructor(ids: Int32Array, options: WindowOptions) {
    this.batch = options.batch;
    this.time = options.time;
    if (ids.length < options.time + 1) {
      throw new InputError(
        `A window of ${options.time} tokens and the one after it need ${options.time + 1}, but the text has ${ids.length}; shorten the window or take a longer text.`,
      );
    }
    this.#ids = ids;
    this.#rng = options.random ?? Rng.fromSeed(options.seed ?? 0);
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = zeros([batch, time], 'int32');
    for (let lane = 0; lane < batch; lane++) {
      const start = this.#rng.int(this.#ids.length - time);
      inputs.data.set(this.#ids.subarray(start, start + time), lane * time);
      targets.data.set(this.#ids.subarray(start + 1, start + 1 + time), lane * time);
    }
    return { inputs, targets, resets: full([batch], 1, 'int32') };
  }

  cursor(): JsonObject {
    return { kind: 'random-windows', rng: [...this.#rng.state()] };
  }

  seek(cursor: JsonObject): void {
    if (cursor.kind !== 'random-windows') {
      throw new InputError(`A place in random windows was expected, but this is one in '${cursor.kind}'.`);
    }
    this.#rng = Rng.fromState(cursor.rng as RngState);
  }
}
