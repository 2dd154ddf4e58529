import { type Compiled, type DeviceArray, type Engine, ndarray, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { forwardChunk } from '../forms/chunk.js';
import { disposeTree, isOnEngine } from '../host.js';
import { forwardLegacyChunk } from '../legacy/chunk.js';
import { initialMemory } from '../memory/slots.js';
import type { NextTokenReader } from './next-token-reader.js';

interface ChunkCall {
  readonly logits: DeviceArray;
  readonly memory: DeviceArray;
}

type ChunkFunction = Compiled<readonly [never, never, never], Record<'logits' | 'memory', tf.Tensor>>;

/**
 * The reference's way to generate (rsm.md 6): for every token the last `windowSize - 1` ids run through the whole model,
 * positions from 0, and the memory that comes back is kept. So a token is written into the memory once per step that sees
 * it, and text before the window never enters. For the wirings whose blocks read each other's writes there is no other way.
 */
export class RecomputingReader implements NextTokenReader {
  readonly #engine: Engine;
  readonly #config: RsmConfig;
  readonly #chunk: ChunkFunction;
  readonly #params: unknown;
  readonly #ownsParams: boolean;
  #memory: DeviceArray | undefined;
  #context: number[] = [];

  /** @param params on the host, or on the engine (they stay the caller's). */
  constructor(engine: Engine, config: RsmConfig, params: unknown) {
    this.#engine = engine;
    this.#config = config;
    this.#ownsParams = !isOnEngine(params);
    this.#params = this.#ownsParams ? engine.put(params) : params;
    this.#chunk = engine.compile(
      ((current: never, tokens: tf.Tensor2D, memory: tf.Tensor) =>
        lastLogits(config, current, tokens, memory)) as never,
      { name: 'rsm chunk' },
    ) as never;
  }

  async readDocument(ids: ArrayLike<number>): Promise<void> {
    const tokens = Int32Array.from(ids);
    const { chunkSize } = this.#config;
    for (let start = 0; start < tokens.length; start += chunkSize) {
      await this.#run(tokens.subarray(start, start + chunkSize));
    }
  }

  async read(ids: ArrayLike<number>): Promise<void> {
    this.#context.push(...Array.from(ids));
  }

  async logits(): Promise<Float32Array> {
    const visible = this.#context.slice(-(this.#config.windowSize - 1));
    return this.#run(Int32Array.from(visible));
  }

  /** The memory after the latest call, on the host. */
  async memory() {
    return (await this.#currentMemory()).toHost();
  }

  async dispose(): Promise<void> {
    this.#memory?.dispose();
    await this.#chunk.dispose();
    if (this.#ownsParams) disposeTree(this.#params);
  }

  async #run(tokens: Int32Array): Promise<Float32Array> {
    const memory = await this.#currentMemory();
    const result = (await this.#chunk(
      this.#params as never,
      ndarray(tokens, [1, tokens.length], 'int32') as never,
      memory as never,
    )) as unknown as ChunkCall;
    memory.dispose();
    this.#memory = result.memory;
    const logits = (await result.logits.data()) as Float32Array;
    result.logits.dispose();
    return logits;
  }

  async #currentMemory(): Promise<DeviceArray> {
    if (this.#memory) return this.#memory;
    const first = this.#engine.compile(
      ((current: never) => initialMemory(this.#config, current, 1)) as never,
      { name: 'rsm first memory' },
    );
    this.#memory = (await first(this.#params as never)) as unknown as DeviceArray;
    await first.dispose();
    return this.#memory;
  }
}

function lastLogits(config: RsmConfig, params: never, tokens: tf.Tensor2D, memory: tf.Tensor) {
  if (config.preset === 'legacy') {
    const { logits, memory: after } = forwardLegacyChunk(params, tokens, memory);
    const last = tf.slice(logits, [0, tokens.shape[1] - 1, 0], [1, 1, -1]);
    return { logits: tf.reshape(last, [-1]), memory: after };
  }
  const { logits, memory: after } = forwardChunk(config, params, tokens, memory, { logits: 'last' });
  return { logits: tf.reshape(logits, [-1]), memory: after };
}
