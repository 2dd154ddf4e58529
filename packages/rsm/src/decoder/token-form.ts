import {
  type Compiled,
  type DeviceArray,
  type Engine,
  ndarray,
  type ToDevice,
  type ToHost,
  type tf,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { disposeTree } from '../host.js';
import type { RsmParams } from '../parameters.js';
import { type Cache, type DecodedToken, decodeToken, type OpenSlots, openChunk } from './graph.js';

/** What one token of every text gives, on the host. */
export interface TokenRows {
  /** [batch, vocabSize]. */
  readonly logits: Float32Array;
  /** What every block will write, [batch, layers, d]. */
  readonly sources: Float32Array;
  /** Outputs of every block, as sources; for a sync. */
  readonly hidden?: Float32Array;
}

/** How tokens are decoded within a chunk, whose memory is only read. Keys and values of the chunk are kept inside. */
export interface TokenForm {
  /** Keys and values of the chunk so far, given away. */
  takeCaches(): ToDevice<Cache[]> | ToHost<Cache[]>;
  /** Takes keys and values over. */
  setCaches(caches: ToDevice<Cache[]>): Promise<void>;
  /** Folds the memory of a chunk's start, [batch, memories, slots, d], for its tokens. */
  open(memory: DeviceArray): Promise<void>;
  /** @param position place of the token in its chunk */
  next(tokens: ArrayLike<number>, position: number): Promise<TokenRows>;
  /** The chunk is over; `open` comes before the next token. */
  close(): void;
  dispose(): Promise<void>;
}

/** Tokens as one graph of the engine, into which the parameters are frozen. */
export class GraphTokenForm implements TokenForm {
  readonly #open: Compiled<[RsmParams, tf.Tensor], OpenSlots[]>;
  readonly #token: Compiled<[RsmParams, OpenSlots[], tf.Tensor1D, tf.Tensor, Cache[]], DecodedToken>;
  #caches: ToDevice<Cache[]> | undefined;
  #reads: ToDevice<OpenSlots[]> | undefined;

  /** @param params the caller's */
  constructor(
    engine: Engine,
    config: RsmConfig,
    private readonly params: ToDevice<RsmParams>,
  ) {
    this.#open = engine.compile(
      (weights: RsmParams, memory: tf.Tensor) => openChunk(config, weights, memory),
      { name: 'rsm chunk start' },
    );
    this.#token = engine.compile(
      (weights: RsmParams, reads: OpenSlots[], token: tf.Tensor1D, position: tf.Tensor, caches: Cache[]) =>
        decodeToken(config, weights, reads, token, position, caches),
      { name: 'rsm token', freeze: [0], donate: [4] },
    );
  }

  takeCaches(): ToDevice<Cache[]> {
    const caches = this.#caches!;
    this.#caches = undefined;
    return caches;
  }

  async setCaches(caches: ToDevice<Cache[]>): Promise<void> {
    this.#release();
    this.#caches = caches;
  }

  async open(memory: DeviceArray): Promise<void> {
    this.close();
    this.#reads = await this.#open(this.params as never, memory as never);
  }

  async next(tokens: ArrayLike<number>, position: number): Promise<TokenRows> {
    const result = await this.#token(
      this.params as never,
      this.#reads as never,
      ndarray(Int32Array.from(tokens), [tokens.length], 'int32'),
      ndarray(position, [], 'int32'),
      this.#caches as never,
    );
    this.#caches = result.caches as ToDevice<Cache[]>;
    return {
      logits: await take(result.logits),
      sources: await take(result.sources),
      ...(result.hidden && { hidden: await take(result.hidden) }),
    };
  }

  close(): void {
    if (this.#reads) disposeTree(this.#reads);
    this.#reads = undefined;
  }

  async dispose(): Promise<void> {
    this.#release();
    await Promise.all([this.#open.dispose(), this.#token.dispose()]);
  }

  #release(): void {
    this.close();
    if (this.#caches) disposeTree(this.#caches);
    this.#caches = undefined;
  }
}

/** The numbers of an array, which is given back. */
export async function take(array: DeviceArray): Promise<Float32Array> {
  const values = (await array.data()) as Float32Array;
  array.dispose();
  return values;
}
