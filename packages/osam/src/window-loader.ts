import { Mt19937 } from '@palimpsest/sketch';
import { InputError, type NDArray } from '@palimpsest/tensor-core';
import type { FitSource } from './fit.js';

export interface WindowBatch {
  /** Inputs and targets, int32 [batch, seqLen]; targets are the inputs' successors and never corrupted. */
  readonly x: NDArray<'int32'>;
  readonly y: NDArray<'int32'>;
  /** First index of every window in the text. */
  readonly starts: Int32Array;
  /** What corruption drew, when it is on: 1 where an input was replaced, and the token drawn for every place. */
  readonly corruption?: { readonly mask: Int32Array; readonly tokens: Int32Array };
}

export interface WindowLoaderOptions {
  readonly batchSize: number;
  readonly seqLen: number;
  /** Seed of the stream of window starts. */
  readonly seed: number;
  /** Share of inputs to replace by random ids; default 0. */
  readonly corrupt?: number;
  /** Stream of the corruption; default: one seeded with `seed`. */
  readonly corruptSeed?: number;
  /** Number of ids; needed when `corrupt` is above 0. */
  readonly vocabSize?: number;
}

/** Batches of windows drawn as the reference draws them (osam.md 6): the last possible window never comes. */
export class WindowLoader {
  readonly #starts: Mt19937;
  readonly #corruption: Mt19937;
  readonly #range: number;

  /** @throws InputError for a text shorter than `seqLen + 2`. */
  constructor(
    private readonly ids: Int32Array,
    private readonly options: WindowLoaderOptions,
  ) {
    const { seqLen, seed, corruptSeed } = options;
    this.#range = ids.length - (seqLen + 1);
    if (this.#range < 1) {
      throw new InputError(
        `Windows of ${seqLen} tokens need a text of at least ${seqLen + 2}, but it has ${ids.length}.`,
      );
    }
    this.#starts = new Mt19937(seed);
    this.#corruption = new Mt19937(corruptSeed ?? seed);
  }

  next(): WindowBatch {
    const { batchSize, seqLen, corrupt = 0 } = this.options;
    const starts = Int32Array.from({ length: batchSize }, () => this.#starts.nextInt(this.#range));
    const windows = (shift: number) => {
      const data = new Int32Array(batchSize * seqLen);
      starts.forEach((start, row) => {
        data.set(this.ids.subarray(start + shift, start + shift + seqLen), row * seqLen);
      });
      return data;
    };
    const shape = [batchSize, seqLen];
    const x = windows(0);
    const y: NDArray<'int32'> = { data: windows(1), shape, dtype: 'int32' };
    const corruption = corrupt > 0 ? this.#corrupt(x, corrupt) : undefined;
    return { x: { data: x, shape, dtype: 'int32' }, y, starts, ...(corruption && { corruption }) };
  }

  /** The loader as a stream for `fit`. */
  source(): FitSource {
    const { batchSize: batch, seqLen: time } = this.options;
    const next = () => {
      const { x, y } = this.next();
      return { inputs: x, targets: y };
    };
    return { batch, time, hasIgnoredTargets: false, next };
  }

  /** Replaces inputs in place. All uniforms are drawn first, then a token for every place, used or not. */
  #corrupt(x: Int32Array, rate: number): { mask: Int32Array; tokens: Int32Array } {
    const { vocabSize } = this.options;
    if (vocabSize === undefined) throw new InputError('Corruption needs the vocabulary size of the loader.');
    const mask = x.map(() => (this.#corruption.nextUniform() < rate ? 1 : 0));
    const tokens = x.map(() => this.#corruption.nextInt(vocabSize));
    mask.forEach((replaced, index) => {
      if (replaced) x[index] = tokens[index]!;
    });
    return { mask, tokens };
  }
}
