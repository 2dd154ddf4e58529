import type { NDArray } from '@palimpsest/tensor-core';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';

/** A memory that a query found. */
export interface FoundMemory {
  readonly mid: number;
  readonly text: string;
  /** Weighted sum of the cosines, and of BM25 where that counts. */
  readonly score: number;
  /** Among all memories that were scored. */
  readonly probability: number;
  /** Whether it stands before the prompt. */
  readonly kept: boolean;
  /** Cosine in each bundle. */
  readonly parts: Partial<PerBundle<number>>;
}

export interface WriteOptions {
  /** Write even what the write gate takes for known. Default false. */
  readonly force?: boolean;
}

export interface WrittenMemory {
  readonly mid: number;
  /** The text was known well enough: `mid` is the memory that it is like. */
  readonly known: boolean;
}

/** A memory as it can be kept and put back without the language model. */
export interface StoredMemory {
  /** What it was made with: adapters and form of keys and values. */
  readonly form: string;
  readonly text: string;
  readonly ts: number;
  /** Directions of the three bundles, as the configuration has them kept. */
  readonly directions: Uint8Array;
  /** Ids of the tokens that slots stand for. */
  readonly tokens: readonly number[];
  readonly keyValues: Uint8Array;
  /** The session summary, where this memory is to bring it back. */
  readonly summary?: Float32Array | undefined;
}

/** Bytes of memories by what they are for. */
export interface MemoryBytes {
  readonly directions: number;
  readonly keyValues: number;
  /** Ids of the tokens that slots stand for. */
  readonly slots: number;
  readonly text: number;
  /** Numbers of memories, and when they were written. */
  readonly bookkeeping: number;
}

export interface AnswerOptions {
  /** Most new tokens. Default 30. */
  readonly maxTokens?: number;
  /** Count what is found as used. Default true. */
  readonly updateStats?: boolean;
  /** Memories to read in place of those that the query finds, best first. */
  readonly memories?: readonly number[];
}

export interface Answer {
  readonly text: string;
  readonly found: readonly FoundMemory[];
  /** Positions of the prefix. */
  readonly positions: number;
  /** Tokens of the prompt. */
  readonly promptTokens: number;
}

/** Memories as they stand before a prompt. */
export interface MemoryPrefix {
  readonly positions: number;
  /** Cached keys and values, `[positions, cachedRowWidth]`. */
  readonly rows?: NDArray;
  /** Token embeddings, `[1, positions, width]`. */
  readonly softPrefix?: NDArray;
}
