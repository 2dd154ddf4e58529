import { InputError, Rng, type RngState } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';
import type { Batch, BatchSource } from './batch.js';
import type { RandomSource } from './random-source.js';

export interface CorruptionOptions {
  /** Chance of every input token to be replaced, 0 to 1. */
  readonly rate: number;
  /** Replacements are uniform over this many ids, the token itself among them. */
  readonly vocabSize: number;
  readonly seed: number;
  /** Random numbers in place of those of the seed; a later `seek` goes back to an `Rng`. */
  readonly random?: RandomSource;
}

/** Another source with some of its input tokens replaced by random ones; what is to be predicted stays clean. */
export class CorruptedInputs implements BatchSource {
  readonly #source: BatchSource;
  readonly #options: CorruptionOptions;
  #rng: RandomSource;

  /** @throws InputError for a rate outside 0 to 1. */
  constructor(source: BatchSource, options: CorruptionOptions) {
    if (!(options.rate >= 0 && options.rate <= 1)) {
      throw new InputError(`The share of corrupted tokens is 0 to 1, but ${options.rate} was given.`);
    }
    this.#source = source;
    this.#options = options;
    this.#rng = options.random ?? Rng.fromSeed(options.seed);
  }

  get batch(): number {
    return this.#source.batch;
  }

  get time(): number {
    return this.#source.time;
  }

  get carriesState(): boolean {
    return this.#source.carriesState;
  }

  get hasIgnoredTargets(): boolean {
    return this.#source.hasIgnoredTargets;
  }

  next(): Batch {
    const batch = this.#source.next();
    const { rate, vocabSize } = this.#options;
    const { data: clean } = batch.inputs;
    // All choices first, then a token for every place, used or not: the order of the published OSAM loader.
    const chosen = Array.from(clean, () => this.#rng.uniform() < rate);
    const tokens = clean.map(() => this.#rng.int(vocabSize));
    const data = clean.map((id, at) => (chosen[at] ? tokens[at]! : id));
    return { ...batch, inputs: { ...batch.inputs, data } };
  }

  cursor(): JsonObject {
    return { kind: 'corrupted-inputs', rng: [...this.#rng.state()], source: this.#source.cursor() };
  }

  seek(cursor: JsonObject): void {
    if (cursor.kind !== 'corrupted-inputs') {
      throw new InputError(`A place in corrupted inputs was expected, but this is one in '${cursor.kind}'.`);
    }
    const { source } = cursor;
    if (typeof source !== 'object' || source === null || Array.isArray(source)) {
      throw new InputError(
        `A place in corrupted inputs names one in their source, but ${JSON.stringify(source)} was given.`,
      );
    }
    const rng = Rng.fromState(cursor.rng as RngState);
    this.#source.seek(source as JsonObject);
    this.#rng = rng;
  }
}
