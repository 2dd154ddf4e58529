import type { Decoder, DecoderOptions } from '@palimpsest/lm';
import { StepDecoder } from '@palimpsest/lm';
import { disposeTree, type Engine, isOnDevice, type NDArray } from '@palimpsest/tensor-core';
import { cacheBytesPerToken, slotsOf, type TransformerState } from './cache.js';
import type { TransformerConfig } from './config.js';
import { cacheOfSize, resized } from './resized-state.js';
import type { Transformer } from './transformer.js';

/** Slots of the smallest cache; the next ones have twice as many. */
const SMALLEST = 256;
/** A cache that takes less is read in full: its empty slots cost less than further graphs. */
const LARGE_BYTES = 2 ** 23;

/** Whether a text is decoded by caches that grow with it. Rotary frequencies that depend on the size of the cache forbid that. */
export function growsWithText(config: TransformerConfig): boolean {
  const { evictable, rotaryScaling } = config;
  if (evictable || rotaryScaling?.kind === 'dynamic' || rotaryScaling?.kind === 'longrope') return false;
  const slots = slotsOf(config);
  return slots > SMALLEST && config.sinks < SMALLEST / 2 && slots * cacheBytesPerToken(config) > LARGE_BYTES;
}

/** Decoders of the caches of all sizes, for all texts of one model. */
class SizedDecoders {
  readonly #first = new Map<number, Promise<StepDecoder>>();
  readonly #sizes: readonly number[];
  readonly #params: unknown;
  /** Texts that use them. */
  users = 0;

  constructor(
    readonly engine: Engine,
    readonly model: Transformer<never>,
    private readonly given: unknown,
    private readonly options: DecoderOptions,
  ) {
    const slots = slotsOf(model.options);
    const sizes: number[] = [];
    for (let size = SMALLEST; size < slots; size *= 2) sizes.push(size);
    this.#sizes = [...sizes, slots];
    this.#params = isOnDevice(given) ? given : engine.put(given);
  }

  /** The smallest size that holds so many tokens, or the largest. */
  sizeFor(tokens: number): number {
    return this.#sizes.find((size) => size >= tokens) ?? this.#sizes.at(-1)!;
  }

  /** A decoder of that size before its first token. */
  async begin(size: number): Promise<StepDecoder> {
    const known = this.#first.get(size) ?? this.#make(size);
    this.#first.set(size, known);
    return (await known).another();
  }

  async dispose(): Promise<void> {
    for (const first of this.#first.values()) await (await first).dispose();
    if (this.#params !== this.given) disposeTree(this.#params);
  }

  #make(size: number): Promise<StepDecoder> {
    const { engine, model, options } = this;
    return StepDecoder.create(
      engine,
      model.withCache(cacheOfSize(model.options, size)),
      this.#params,
      options,
    );
  }
}

/**
 * Decodes with a cache that has room for what was read, and not much more: attending to the empty slots of a cache of 4,096
 * costs as much as the weights of a small model. It doubles when a text fills it, up to the slots of the model. Entries keep
 * their slots, so that nothing else changes.
 */
export class GrowingDecoder implements Decoder {
  #decoder: StepDecoder;
  #size: number;
  #position: number;

  private constructor(
    private readonly sized: SizedDecoders,
    decoder: StepDecoder,
    size: number,
    position: number,
  ) {
    [this.#decoder, this.#size, this.#position] = [decoder, size, position];
    sized.users += 1;
  }

  /** @param params on the host, or on the engine (they stay the caller's). */
  static async create<P>(
    engine: Engine,
    model: Transformer<P>,
    params: unknown,
    options: DecoderOptions = {},
  ): Promise<GrowingDecoder> {
    const sized = new SizedDecoders(engine, model as Transformer<never>, params, options);
    const size = sized.sizeFor(0);
    return new GrowingDecoder(sized, await sized.begin(size), size, 0);
  }

  get stateBytes(): number {
    return this.#decoder.stateBytes;
  }

  async reserve(tokens: number): Promise<void> {
    const size = this.sized.sizeFor(this.#position + tokens);
    if (size <= this.#size) return;
    await this.#moveTo(size, (await this.#decoder.state()) as TransformerState<NDArray>);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    await this.reserve(ids.length);
    this.#position += ids.length;
    return this.#decoder.read(ids);
  }

  async state(): Promise<unknown> {
    const state = (await this.#decoder.state()) as TransformerState<NDArray>;
    return resized(this.#config, state, slotsOf(this.#config));
  }

  async restore(state: unknown): Promise<void> {
    const given = state as TransformerState<NDArray>;
    this.#position = given.position.data[0]!;
    await this.#moveTo(this.sized.sizeFor(this.#position), given);
  }

  async reset(): Promise<void> {
    this.#position = 0;
    await this.#replace(this.sized.sizeFor(0));
  }

  async fork(): Promise<GrowingDecoder> {
    return new GrowingDecoder(this.sized, await this.#decoder.fork(), this.#size, this.#position);
  }

  async dispose(): Promise<void> {
    await this.#decoder.dispose();
    this.sized.users -= 1;
    if (this.sized.users === 0) await this.sized.dispose();
  }

  get #config(): TransformerConfig {
    return this.sized.model.options;
  }

  async #moveTo(size: number, state: TransformerState<NDArray>): Promise<void> {
    await this.#replace(size);
    await this.#decoder.restore(resized(this.#config, state, size));
  }

  async #replace(size: number): Promise<void> {
    const next = await this.sized.begin(size);
    await this.#decoder.dispose();
    [this.#decoder, this.#size] = [next, size];
  }
}
