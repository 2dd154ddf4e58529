import type { Batch, BatchSource, JsonObject } from '@palimpsest/lm';
import { InputError, zeros } from '@palimpsest/tensor-core';
import { mixSources } from '../data/mixing.js';

/** Samples of one source, each `numPad` pads and then ids; all of one length. */
export type Samples = readonly (readonly number[])[];

export interface PackedSamplesOptions {
  readonly batch: number;
  /** Samples that are drawn from every source in turn. */
  readonly proportions: readonly number[];
  /** Pads in front of every sample; the model puts them there itself. */
  readonly numPad: number;
}

/**
 * Packed samples of several sources, mixed by proportions; every sample begins with fresh states. Epochs repeat the same
 * order; what does not fill a batch is left out.
 */
export class PackedSamples implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = false;
  readonly hasIgnoredTargets = false;
  readonly batchesPerEpoch: number;
  readonly #order: readonly (readonly number[])[];
  readonly #numPad: number;
  #next = 0;

  /** @throws InputError when there are not enough samples for one batch. */
  constructor(sources: readonly Samples[], { batch, proportions, numPad }: PackedSamplesOptions) {
    const draws = mixSources(
      proportions,
      sources.map((samples) => samples.length),
    );
    this.#order = [...draws].map(({ source, index }) => sources[source]![index]!);
    this.#numPad = numPad;
    this.batch = batch;
    this.batchesPerEpoch = Math.floor(this.#order.length / batch);
    if (this.batchesPerEpoch < 1) {
      throw new InputError(
        `A batch takes ${batch} samples, but the sources give ${this.#order.length}; take a smaller batch, shorter samples or more text.`,
      );
    }
    this.time = this.#order[0]!.length - numPad - 1;
  }

  next(): Batch {
    const { batch, time } = this;
    const [inputs, targets] = [zeros([batch, time], 'int32'), zeros([batch, time], 'int32')];
    for (let row = 0; row < batch; row++) {
      const sample = this.#order[this.#next * batch + row]!;
      for (let t = 0; t < time; t++) {
        inputs.data[row * time + t] = sample[this.#numPad + t]!;
        targets.data[row * time + t] = sample[this.#numPad + t + 1]!;
      }
    }
    this.#next = (this.#next + 1) % this.batchesPerEpoch;
    return { inputs, targets, resets: zeros([batch], 'int32') };
  }

  cursor(): JsonObject {
    return { kind: 'packed-samples', next: this.#next };
  }

  seek({ kind, next }: JsonObject): void {
    if (kind !== 'packed-samples' || typeof next !== 'number' || !(next < this.batchesPerEpoch)) {
      throw new InputError(
        `A place in packed samples with ${this.batchesPerEpoch} batches was expected; has the data changed since the checkpoint?`,
      );
    }
    this.#next = next;
  }
}
