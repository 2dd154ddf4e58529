import { ndarray, type ToHost } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { hasHiddenSync } from '../state.js';
import type { PendingRows } from './graph.js';

/** Rows of the tokens of a chunk, on the host. */
export class RowBuffer {
  readonly #sources: Float32Array;
  readonly #hidden: Float32Array | undefined;
  readonly #counts: Float32Array;

  constructor(
    private readonly config: RsmConfig,
    private readonly batch: number,
  ) {
    const size = batch * config.numLayers * config.chunkSize * config.hiddenSize;
    this.#sources = new Float32Array(size);
    this.#hidden = hasHiddenSync(config) ? new Float32Array(size) : undefined;
    this.#counts = new Float32Array(batch * config.chunkSize);
  }

  get isEmpty(): boolean {
    return !this.#counts.includes(1);
  }

  /** Takes the rows [batch, layers, d] of one place. */
  put(place: number, sources: Float32Array, hidden?: Float32Array): void {
    this.#copy(place, sources, this.#sources);
    if (hidden) this.#copy(place, hidden, this.#hidden!);
    for (let row = 0; row < this.batch; row++) this.#counts[row * this.config.chunkSize + place] = 1;
  }

  clear(): void {
    this.#counts.fill(0);
  }

  arrays(): ToHost<PendingRows> {
    const { numLayers, chunkSize, hiddenSize } = this.config;
    const rows = (data: Float32Array) => ndarray(data, [this.batch, numLayers, chunkSize, hiddenSize]);
    return {
      sources: rows(this.#sources),
      ...(this.#hidden && { hidden: rows(this.#hidden) }),
      counts: ndarray(this.#counts, [this.batch, chunkSize]),
    };
  }

  #copy(place: number, values: Float32Array, into: Float32Array): void {
    const { chunkSize, hiddenSize: d } = this.config;
    for (let row = 0; row * d < values.length; row++) {
      into.set(values.subarray(row * d, (row + 1) * d), (row * chunkSize + place) * d);
    }
  }
}
