import { InputError } from '@palimpsest/tensor-core';
import { type ChunkDataset, type ChunkExample, checkIndex } from './chunk-example.js';

export interface ChunkedSequencesOptions {
  /** Tokens per example. Default 256. */
  readonly chunkSize?: number;
  /** Share of a chunk that the next one has too, 0 to below 1. Default 0.5. */
  readonly overlapRatio?: number;
  /**
   * How the distance between two examples becomes whole: `round`, at least 1, or `truncate`, as in the reference, where a
   * distance below 1 is an error (for chunks of 10 with an overlap of 0.9 it is 0.9999…). Default `round`.
   */
  readonly stride?: 'round' | 'truncate';
}

/**
 * Overlapping chunks of a text (rsm.md 8): example i reads the `chunkSize` tokens from i · stride on and predicts the same
 * tokens shifted by one. There are ceil((N - chunkSize) / stride) examples of N tokens, none when N <= chunkSize.
 */
export class ChunkedSequences implements ChunkDataset {
  readonly length: number;
  readonly chunkSize: number;
  /** Tokens between the starts of two examples. */
  readonly stride: number;
  readonly #tokens: Int32Array;

  /** @throws InputError for a chunk size or an overlap that is out of range. */
  constructor(tokens: ArrayLike<number>, options: ChunkedSequencesOptions = {}) {
    const { chunkSize = 256, overlapRatio = 0.5, stride = 'round' } = options;
    checkChunkSize(chunkSize, 1);
    this.#tokens = tokens instanceof Int32Array ? tokens : Int32Array.from(tokens);
    this.chunkSize = chunkSize;
    this.stride = strideOf(chunkSize, overlapRatio, stride);
    this.length = Math.max(0, Math.ceil((this.#tokens.length - chunkSize) / this.stride));
  }

  /** First token of an example. */
  start(index: number): number {
    checkIndex(index, this.length);
    return index * this.stride;
  }

  at(index: number): ChunkExample {
    const start = this.start(index);
    return {
      x: this.#tokens.subarray(start, start + this.chunkSize),
      y: this.#tokens.subarray(start + 1, start + 1 + this.chunkSize),
    };
  }
}

function strideOf(chunkSize: number, overlapRatio: number, rule: 'round' | 'truncate'): number {
  const distance = chunkSize * (1 - overlapRatio);
  const stride = rule === 'round' ? Math.max(1, Math.round(distance)) : Math.trunc(distance);
  if (!(overlapRatio >= 0 && overlapRatio < 1) || stride < 1) {
    throw new InputError(
      `Chunks of ${chunkSize} tokens with an overlap of ${overlapRatio} do not move on; choose an overlap from 0 to below 1 that leaves at least one token.`,
    );
  }
  return stride;
}

/** @throws InputError for a chunk size that is no whole number of at least `least`. */
export function checkChunkSize(chunkSize: number, least: number): void {
  if (Number.isInteger(chunkSize) && chunkSize >= least) return;
  throw new InputError(`A chunk has at least ${least} tokens, but a chunk size of ${chunkSize} was given.`);
}
