import type { NDArray } from '@palimpsest/base';
import type { Decoder } from '@palimpsest/lm';
import { type Engine, InputError, isOnDevice, toHost } from '@palimpsest/tensor-core';
import type { TransformerState } from '../cache.js';
import type { TransformerConfig } from '../config.js';
import type { FrozenMatrices, OtherParameters } from '../frozen-transformer.js';
import { LowBitCache } from './cache.js';
import { NoRoom } from './kernels.js';
import { LowBitTokens, MOST_ROWS } from './tokens.js';
import { LowBitMatrices } from './weights.js';

/** Milliseconds after which others get a turn. */
const TURN = 20;

/** Lets events of the process through that wait. */
const othersFirst = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What all texts of one model share. */
class Shared {
  #graph: Promise<Decoder> | undefined;
  /** Texts that use it. */
  users = 0;

  constructor(
    readonly tokens: LowBitTokens,
    private readonly makeGraph: () => Promise<Decoder>,
  ) {}

  /** A decoder by graphs, for memories that these kernels do not hold. */
  async graph(): Promise<Decoder> {
    this.#graph ??= this.makeGraph();
    return (await this.#graph).fork();
  }

  async dispose(): Promise<void> {
    this.tokens.dispose();
    if (this.#graph) await (await this.#graph).dispose();
  }
}

/**
 * Decodes one text by kernels of its own: products of one row with weights of 8 or 4 bits, which are read at the speed of
 * memory, and no node of a graph in between. Prompts are read in pieces by the same weights. When there is no more room for a
 * text, or a memory lacks its first tokens, a graph goes on.
 */
export class LowBitDecoder implements Decoder {
  #cache: LowBitCache;
  #graph: Decoder | undefined;
  #since = 0;

  private constructor(private readonly shared: Shared) {
    this.#cache = new LowBitCache(shared.tokens.kernels, shared.tokens.config);
    shared.users += 1;
  }

  /**
   * @param others what is no matrix, on the host or on the engine (it stays the caller's)
   * @param makeGraph a decoder of the same model by graphs
   */
  static async create(
    engine: Engine,
    config: TransformerConfig,
    matrices: FrozenMatrices,
    others: unknown,
    makeGraph: () => Promise<Decoder>,
  ): Promise<LowBitDecoder> {
    const onHost = isOnDevice(others) ? await toHost(others) : others;
    const placed = LowBitMatrices.of(matrices, engine.describe().threads);
    const tokens = new LowBitTokens(config, placed, onHost as OtherParameters<NDArray>);
    return new LowBitDecoder(new Shared(tokens, makeGraph));
  }

  get stateBytes(): number {
    return this.#graph?.stateBytes ?? this.#cache.bytes;
  }

  async reserve(tokens: number): Promise<void> {
    if (this.#graph) return this.#graph.reserve?.(tokens);
    await this.#orByGraph(() => this.#cache.reserve(tokens));
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const all = Int32Array.from(ids);
    let logits: Float32Array | undefined;
    for (let at = 0; at < all.length; at += MOST_ROWS) {
      await this.#giveTurns();
      await this.reserve(Math.min(MOST_ROWS, all.length - at));
      if (this.#graph) return this.#graph.read(all.subarray(at));
      const piece = all.subarray(at, at + MOST_ROWS);
      logits = this.shared.tokens.read(this.#cache, piece, at + piece.length === all.length);
    }
    return logits!;
  }

  async state(): Promise<unknown> {
    return this.#graph ? this.#graph.state() : this.#cache.state();
  }

  async restore(state: unknown): Promise<void> {
    const given = state as TransformerState<NDArray>;
    if (given.position.data[0]! < 0) {
      throw new InputError('The memory holds a position below 0, which no text has.');
    }
    await this.#leaveGraph();
    await this.#orByGraph(
      () => this.#cache.restore(given),
      () => given,
    );
  }

  async reset(): Promise<void> {
    await this.#leaveGraph();
    this.#cache.reset();
  }

  async fork(): Promise<LowBitDecoder> {
    const copy = new LowBitDecoder(this.shared);
    if (this.#graph) copy.#graph = await this.#graph.fork();
    else
      await copy.#orByGraph(
        () => copy.#cache.follow(this.#cache),
        () => this.#cache.state(),
      );
    return copy;
  }

  async dispose(): Promise<void> {
    await this.#graph?.dispose();
    this.#cache.reset();
    this.shared.users -= 1;
    if (this.shared.users === 0) await this.shared.dispose();
  }

  /** Does what needs room; where there is none, or the memory is none that is held here, a graph goes on from it. */
  async #orByGraph(act: () => void, state: () => unknown = () => this.#cache.state()): Promise<void> {
    try {
      act();
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      const former = state();
      this.#graph = await this.shared.graph();
      await this.#graph.restore(former);
      this.#cache.reset();
    }
  }

  async #leaveGraph(): Promise<void> {
    await this.#graph?.dispose();
    this.#graph = undefined;
  }

  async #giveTurns(): Promise<void> {
    if (performance.now() - this.#since < TURN) return;
    await othersFirst();
    this.#since = performance.now();
  }
}
