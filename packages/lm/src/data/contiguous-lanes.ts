import { InputError, zeros } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';
import type { Batch, BatchSource } from './batch.js';

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

  /** @throws InputError when a lane would be shorter than one batch. */
  constructor(ids: Int32Array, options: { readonly batch: number; readonly time: number }) {
    this.batch = options.batch;
    this.time = options.time;
    this.#ids = ids;
    this.#laneLength = Math.floor((ids.length - 1) / options.batch);
    this.batchesPerEpoch = Math.floor(this.#laneLength / options.time);
    if (this.batchesPerEpoch < 1) {
      throw new InputError(
        `${options.batch} lanes of at least ${options.time} tokens need ${options.batch * options.time + 1}, but the text has ${ids.length}; take fewer lanes, shorter batches or a longer text.`,
      );
    }
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = zeros([batch, time], 'int32');
    const resets = zeros([batch], 'int32');
    if (this.#position === 0) resets.data.fill(1);
    for (let lane = 0; lane < batch; lane++) {
      const start = lane * this.#laneLength + this.#position * time;
      inputs.data.set(this.#ids.subarray(start, start + time), lane * time);
      targets.data.set(this.#ids.subarray(start + 1, start + 1 + time), lane * time);
    }
    this.#position = (this.#position + 1) % this.batchesPerEpoch;
    return { inputs, targets, resets };
  }

  cursor(): JsonObject {
    return { kind: 'contiguous-lanes', position: this.#position };
  }

  seek(cursor: JsonObject): void {
    const { kind, position } = cursor;
    if (kind !== 'contiguous-lanes' || typeof position !== 'number' || !(position < this.batchesPerEpoch)) {
      throw new InputError(
        `A place in contiguous lanes with ${this.batchesPerEpoch} batches was expected, but ${JSON.stringify(cursor)} was given.`,
      );
    }
    this.#position = position;
  }
}
