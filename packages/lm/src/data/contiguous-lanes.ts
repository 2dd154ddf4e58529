import { InputError, Rng, type RngState, zeros } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';
import type { Batch, BatchSource } from './batch.js';
import { isPlace } from './cursor.js';

export interface LaneOptions {
  /** Lanes that are read side by side. */
  readonly batch: number;
  /** Tokens of each lane per batch. */
  readonly time: number;
  /**
   * When given, every pass over the text begins up to `time - 1` tokens into it, drawn from this seed, so that batches,
   * and a model's chunks in them, are cut at other places in every pass. Default: every pass is the same.
   */
  readonly shiftSeed?: number;
}

/**
 * The text in `batch` equal lanes that are read in parallel from their beginnings, `time` tokens per batch: consecutive
 * batches continue each other, for truncated back-propagation through time. At the end all lanes begin anew. The last
 * tokens of a lane that do not fill a batch are left out.
 */
export class ContiguousLanes implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = true;
  readonly hasIgnoredTargets = false;
  readonly batchesPerEpoch: number;
  readonly #ids: Int32Array;
  readonly #laneLength: number;
  #position = 0;
  /** Draws where passes begin, and where this one does. */
  #rng: Rng | undefined;
  #shift = 0;

  /** @throws InputError when a lane would be shorter than one batch. */
  constructor(ids: Int32Array, options: LaneOptions) {
    this.batch = options.batch;
    this.time = options.time;
    this.#ids = ids;
    const spare = options.shiftSeed === undefined ? 0 : options.time - 1;
    this.#laneLength = Math.floor((ids.length - 1 - spare) / options.batch);
    this.batchesPerEpoch = Math.floor(this.#laneLength / options.time);
    if (this.batchesPerEpoch < 1) {
      throw new InputError(
        `${options.batch} lanes of at least ${options.time} tokens need ${options.batch * options.time + 1 + spare}, but the text has ${ids.length}; take fewer lanes, shorter batches or a longer text.`,
      );
    }
    if (options.shiftSeed !== undefined) this.#rng = Rng.fromSeed(options.shiftSeed);
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = zeros([batch, time], 'int32');
    const resets = zeros([batch], 'int32');
    if (this.#position === 0) {
      this.#shift = this.#rng?.int(time) ?? 0;
      resets.data.fill(1);
    }
    for (let lane = 0; lane < batch; lane++) {
      const start = this.#shift + lane * this.#laneLength + this.#position * time;
      inputs.data.set(this.#ids.subarray(start, start + time), lane * time);
      targets.data.set(this.#ids.subarray(start + 1, start + 1 + time), lane * time);
    }
    this.#position = (this.#position + 1) % this.batchesPerEpoch;
    return { inputs, targets, resets };
  }

  cursor(): JsonObject {
    return {
      kind: 'contiguous-lanes',
      position: this.#position,
      ...(this.#rng && { shift: this.#shift, rng: [...this.#rng.state()] }),
    };
  }

  seek(cursor: JsonObject): void {
    const { kind, position, shift, rng } = cursor;
    if (kind !== 'contiguous-lanes' || !isPlace(position, this.batchesPerEpoch)) {
      throw new InputError(
        `A place in contiguous lanes with ${this.batchesPerEpoch} batches was expected, but ${JSON.stringify(cursor)} was given.`,
      );
    }
    if ((rng === undefined) !== (this.#rng === undefined)) {
      throw new InputError(
        `A place in lanes whose passes ${this.#rng ? 'are shifted' : 'are all the same'} was expected, but the other kind was given.`,
      );
    }
    if (rng !== undefined) {
      if (!isPlace(shift, this.time)) {
        throw new InputError(
          `A shift below ${this.time} tokens was expected, but ${JSON.stringify(shift)} was given.`,
        );
      }
      this.#rng = Rng.fromState(rng as RngState);
      this.#shift = shift;
    }
    this.#position = position;
  }
}
