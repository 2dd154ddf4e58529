import { InputError, Rng, type RngState, zeros } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';
import { type Batch, type BatchSource, IGNORED_TARGET } from './batch.js';
import type { EncodedCorpus } from './corpus.js';
import { isPlace } from './cursor.js';
import type { WindowOptions } from './random-windows.js';

interface Lane {
  document: number;
  offset: number;
}

/**
 * Lanes that read whole documents, each from a fresh memory. When a document ends inside a batch, the rest of the lane is
 * padding that does not count, and the next document begins with the next batch: no memory passes a border. Documents
 * come in a new random order in every epoch.
 */
export class DocumentLanes implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = true;
  readonly hasIgnoredTargets = true;
  readonly #ids: Int32Array;
  /** First id and number of predictions of every document with at least two ids. */
  readonly #documents: readonly { readonly start: number; readonly length: number }[];
  #rng: Rng;
  #order: Int32Array;
  #next = 0;
  #lanes: Lane[];

  /** @throws InputError when no document has two tokens. */
  constructor(corpus: EncodedCorpus, options: WindowOptions) {
    this.batch = options.batch;
    this.time = options.time;
    this.#ids = corpus.ids;
    this.#documents = corpus.documentStarts
      .map((start, index) => ({
        start,
        length: (corpus.documentStarts[index + 1] ?? corpus.ids.length) - start - 1,
      }))
      .filter(({ length }) => length > 0);
    if (this.#documents.length === 0) {
      throw new InputError('Training on documents needs one with at least two tokens, but there is none.');
    }
    this.#rng = Rng.fromSeed(options.seed ?? 0);
    this.#order = this.#rng.permutation(this.#documents.length);
    this.#lanes = Array.from({ length: this.batch }, () => ({ document: this.#take(), offset: 0 }));
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = zeros([batch, time], 'int32');
    const resets = zeros([batch], 'int32');
    targets.data.fill(IGNORED_TARGET);
    this.#lanes.forEach((lane, index) => {
      const { start, length } = this.#documents[lane.document]!;
      const count = Math.min(time, length - lane.offset);
      const from = start + lane.offset;
      resets.data[index] = lane.offset === 0 ? 1 : 0;
      inputs.data.set(this.#ids.subarray(from, from + count), index * time);
      targets.data.set(this.#ids.subarray(from + 1, from + 1 + count), index * time);
      lane.offset += count;
      if (lane.offset === length) this.#lanes[index] = { document: this.#take(), offset: 0 };
    });
    return { inputs, targets, resets };
  }

  cursor(): JsonObject {
    return {
      kind: 'document-lanes',
      rng: [...this.#rng.state()],
      order: [...this.#order],
      next: this.#next,
      lanes: this.#lanes.map(({ document, offset }) => [document, offset]),
    };
  }

  seek(cursor: JsonObject): void {
    const { kind, rng, order, next, lanes } = cursor as {
      kind?: unknown;
      rng?: RngState;
      order?: number[];
      next?: number;
      lanes?: [number, number][];
    };
    const documents = this.#documents;
    const isLane = (lane: unknown) =>
      Array.isArray(lane) &&
      isPlace(lane[0], documents.length) &&
      isPlace(lane[1], documents[lane[0]]!.length);
    const fits =
      Array.isArray(order) &&
      order.length === documents.length &&
      order.every((document) => isPlace(document, documents.length)) &&
      Array.isArray(lanes) &&
      lanes.length === this.batch &&
      lanes.every(isLane);
    if (kind !== 'document-lanes' || !rng || !isPlace(next, documents.length + 1) || !fits) {
      throw new InputError(
        `A place in ${this.batch} lanes over ${this.#documents.length} documents was expected, but the stored one is of '${kind}' with ${lanes?.length ?? 0} lanes over ${order?.length ?? 0}.`,
      );
    }
    this.#rng = Rng.fromState(rng);
    this.#order = Int32Array.from(order);
    this.#next = next;
    this.#lanes = lanes.map(([document, offset]) => ({ document, offset }));
  }

  #take(): number {
    if (this.#next === this.#order.length) {
      this.#order = this.#rng.permutation(this.#documents.length);
      this.#next = 0;
    }
    const document = this.#order[this.#next]!;
    this.#next += 1;
    return document;
  }
}
