import type { NDArray } from '@palimpsest/base';
import type { Decoder } from '@palimpsest/lm';
import { type Engine, InputError, isOnDevice, StoredMatrix, toHost } from '@palimpsest/tensor-core';
import type { TransformerState } from '../cache.js';
import type { FrozenMatrices, OtherParameters } from '../frozen-transformer.js';
import type { Transformer } from '../transformer.js';
import { KernelCache } from './cache.js';
import { NoRoom } from './kernels.js';
import { PromptGraph } from './prompts.js';
import { KernelTokens, MOST_ROWS } from './tokens.js';
import { KernelMatrices } from './weights.js';

/** Milliseconds after which others get a turn. */
const TURN = 20;

/** Lets events of the process through that wait. */
const othersFirst = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Tokens that kernels read as fast as a graph, of weights of 32 bits. */
const FEW = 6;

/** What all texts of one model share. */
class Shared {
  #graph: Promise<Decoder> | undefined;
  /** Texts that use it. */
  users = 0;

  constructor(
    readonly tokens: KernelTokens,
    /** Reads more than a few tokens, where weights have 32 bits. */
    readonly prompts: PromptGraph<unknown> | undefined,
    private readonly makeGraph: () => Promise<Decoder>,
  ) {}

  /** A decoder by graphs, for memories that these kernels do not hold. */
  async graph(): Promise<Decoder> {
    this.#graph ??= this.makeGraph();
    return (await this.#graph).fork();
  }

  async dispose(): Promise<void> {
    await this.prompts?.dispose();
    this.tokens.dispose();
    if (this.#graph) await (await this.#graph).dispose();
  }
}

/**
 * Decodes one text by kernels of its own: products of one row, whose weights are read at the speed of memory, and no node of a
 * graph in between. Prompts are read in pieces by the same weights: of 8 and 4 bits by kernels too, of 32 bits by a graph as long as
 * every entry lies in the slot of its position. When there is no more room for a text, or a memory lacks its first tokens, a graph
 * with a cache of its own goes on.
 */
export class KernelDecoder implements Decoder {
  #cache: KernelCache;
  #graph: Decoder | undefined;
  #since = 0;

  private constructor(private readonly shared: Shared) {
    this.#cache = new KernelCache(shared.tokens.kernels, shared.tokens.config);
    shared.users += 1;
  }

  /**
   * @param others what is no matrix, on the host or on the engine (it stays the caller's)
   * @param makeGraph a decoder of the same model by graphs
   * @returns that decoder where the runtime cannot take prompts of weights of 32 bits from the kernels' memory
   */
  static async create<P>(
    engine: Engine,
    model: Transformer<P>,
    matrices: FrozenMatrices,
    others: unknown,
    makeGraph: () => Promise<Decoder>,
  ): Promise<Decoder> {
    const isWhole = [...matrices.values()].some((matrix) => matrix instanceof StoredMatrix);
    if (isWhole && !(await engine.adopt?.([]))) return makeGraph();
    const onHost = isOnDevice(others) ? await toHost(others) : others;
    const placed = KernelMatrices.of(matrices, engine.describe().threads);
    const tokens = new KernelTokens(model.options, placed, onHost as OtherParameters<NDArray>);
    const prompts = isWhole ? await PromptGraph.create(engine, model, tokens) : undefined;
    return new KernelDecoder(new Shared(tokens, prompts, makeGraph));
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
    for (let at = 0; at < all.length; ) {
      await this.#giveTurns();
      const rest = all.subarray(at);
      const { tokens, prompts } = this.shared;
      const room = Math.min(rest.length, this.#cache.inOrder);
      const byGraph = room > FEW ? prompts : undefined;
      const piece = rest.subarray(0, byGraph?.rowsOf(room, this.#cache) ?? MOST_ROWS);
      await this.reserve(piece.length);
      if (this.#graph) return this.#graph.read(rest);
      at += piece.length;
      logits = byGraph
        ? await byGraph.read(this.#cache, piece)
        : tokens.read(this.#cache, piece, at === all.length);
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

  async fork(): Promise<KernelDecoder> {
    const copy = new KernelDecoder(this.shared);
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
