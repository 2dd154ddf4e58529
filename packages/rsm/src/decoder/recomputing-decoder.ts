import type { Decoder } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  isOnDevice,
  type NDArray,
  ndarray,
  type ToDevice,
  type ToHost,
  tf,
} from '@palimpsest/tensor-core';
import { memoryShape, type RsmConfig } from '../config.js';
import { callPrefix } from '../forms/prefix.js';
import { initialMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import { take } from './token-form.js';

interface Call {
  readonly logits: tf.Tensor;
  readonly memory: tf.Tensor;
}

/** What all forks share: parameters and compiled parts. */
class Shared {
  users = 0;
  readonly params: ToDevice<RsmParams>;
  readonly first: Compiled<[RsmParams], tf.Tensor>;
  readonly call: Compiled<[RsmParams, tf.Tensor2D, tf.Tensor, tf.Tensor], Call>;
  readonly #ownsParams: boolean;

  constructor(
    readonly engine: Engine,
    readonly config: RsmConfig,
    params: ToHost<RsmParams> | ToDevice<RsmParams>,
  ) {
    this.#ownsParams = !isOnDevice(params);
    this.params = (this.#ownsParams ? engine.put(params) : params) as ToDevice<RsmParams>;
    this.first = engine.compile((weights: RsmParams) => initialMemory(config, weights, 1), {
      name: 'rsm first memory',
    });
    this.call = engine.compile(
      (weights: RsmParams, ids: tf.Tensor2D, count: tf.Tensor, memory: tf.Tensor) => {
        const { logits, memory: after } = callPrefix(config, weights, ids, count, memory);
        return { logits: tf.reshape(logits, [-1]), memory: after };
      },
      { name: 'rsm window', donate: [3] },
    );
  }

  async release(): Promise<void> {
    this.users -= 1;
    if (this.users > 0) return;
    if (this.#ownsParams) disposeTree(this.params);
    await Promise.all([this.first.dispose(), this.call.dispose()]);
  }
}

interface RecomputingState<T> {
  readonly memory: T;
  /** The latest tokens, int32 [1, windowSize - 1], those that there are at the start; and how many there are, int32 [1]. */
  readonly ids: T;
  readonly count: T;
}

/**
 * The reference's way to decode (DERIVATION.md, "Decoding"): every call runs the last `windowSize - 1` ids through the whole
 * model, positions from 0, and keeps the memory that comes back. So a token is written once per call that sees it, and text
 * before the window never enters. The wirings whose blocks read each other's writes were trained and published with it.
 */
export class RecomputingDecoder implements Decoder {
  #memory!: DeviceArray;
  #context: number[] = [];

  private constructor(private readonly shared: Shared) {
    shared.users += 1;
  }

  /** A decoder before the first token. @param params on the host or on the engine; they are the caller's */
  static async create(
    engine: Engine,
    config: RsmConfig,
    params: ToHost<RsmParams> | ToDevice<RsmParams>,
  ): Promise<RecomputingDecoder> {
    const decoder = new RecomputingDecoder(new Shared(engine, config, params));
    await decoder.reset();
    return decoder;
  }

  get stateBytes(): number {
    const numbers = memoryShape(this.shared.config, 1).reduce((size, extent) => size * extent, 1);
    return 4 * (numbers + this.#window + 1);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    this.#context = [...this.#context, ...Array.from(ids)].slice(-this.#window);
    const { call, params } = this.shared;
    const count = this.#context.length;
    // Contexts of powers of two, behind which nothing is written, so that a growing text needs few graphs.
    const size = Math.min(this.#window, 2 ** Math.ceil(Math.log2(count)));
    const { logits, memory } = await call(
      params,
      ndarray(this.#padded(size), [1, size], 'int32'),
      ndarray(Int32Array.of(count), [1], 'int32'),
      this.#memory,
    );
    this.#memory = memory;
    return take(logits);
  }

  async state(): Promise<RecomputingState<NDArray>> {
    return {
      memory: await this.#memory.toHost(),
      ids: ndarray(this.#padded(this.#window), [1, this.#window], 'int32'),
      count: ndarray(Int32Array.of(this.#context.length), [1], 'int32'),
    };
  }

  async restore(state: unknown): Promise<void> {
    const { memory, ids, count } = state as RecomputingState<NDArray>;
    disposeTree(this.#memory);
    this.#memory = this.shared.engine.put(memory);
    this.#context = Array.from(ids.data as Int32Array).slice(0, Number(count.data[0]));
  }

  async reset(): Promise<void> {
    disposeTree(this.#memory);
    this.#memory = await this.shared.first(this.shared.params);
    this.#context = [];
  }

  async fork(): Promise<RecomputingDecoder> {
    const fork = new RecomputingDecoder(this.shared);
    await fork.restore(await this.state());
    return fork;
  }

  async dispose(): Promise<void> {
    disposeTree(this.#memory);
    await this.shared.release();
  }

  get #window(): number {
    return this.shared.config.windowSize - 1;
  }

  #padded(size: number): Int32Array {
    const padded = new Int32Array(size);
    padded.set(this.#context);
    return padded;
  }
}
