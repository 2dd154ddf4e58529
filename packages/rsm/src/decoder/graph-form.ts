import {
  type Compiled,
  disposeTree,
  type Engine,
  isOnDevice,
  ndarray,
  type ToDevice,
  type ToInput,
  type tf,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import type { RsmParams } from '../parameters.js';
import type { BlockState } from '../state.js';
import { type DecodedToken, decodeToken, type OpenSlots } from './graph.js';
import { type Pools, type TokenForm, take } from './token-form.js';

type Token = Compiled<
  [RsmParams, readonly OpenSlots[], tf.Tensor1D, tf.Tensor, readonly BlockState[]],
  DecodedToken
>;

/** The graph of a token, shared by all forks. */
class TokenGraph {
  users = 0;
  readonly run: Token;

  constructor(
    readonly engine: Engine,
    config: RsmConfig,
    /** The caller's. */
    readonly params: ToDevice<RsmParams>,
  ) {
    this.run = engine.compile(
      (
        weights: RsmParams,
        open: readonly OpenSlots[],
        token: tf.Tensor1D,
        position: tf.Tensor,
        blocks: readonly BlockState[],
      ) => decodeToken(config, weights, open, token, position, blocks),
      { name: 'rsm token', freeze: [0], donate: [4] },
    );
  }
}

/** Tokens as one graph of the engine, into which the parameters are frozen. */
export class GraphTokenForm implements TokenForm {
  #blocks: ToDevice<readonly BlockState[]> = [];
  #open: ToDevice<readonly OpenSlots[]> = [];

  private constructor(private readonly graph: TokenGraph) {
    graph.users += 1;
  }

  /** @param params the caller's */
  static create(engine: Engine, config: RsmConfig, params: ToDevice<RsmParams>): GraphTokenForm {
    return new GraphTokenForm(new TokenGraph(engine, config, params));
  }

  blocks(): ToDevice<readonly BlockState[]> {
    return this.#blocks;
  }

  async setBlocks(blocks: ToInput<readonly BlockState[]>): Promise<void> {
    disposeTree(this.#blocks);
    this.#blocks = (isOnDevice(blocks) ? blocks : this.graph.engine.put(blocks)) as ToDevice<
      readonly BlockState[]
    >;
  }

  async setPools(pools: ToDevice<Pools>): Promise<void> {
    disposeTree(this.#blocks.map(({ pool }) => pool));
    this.#blocks = this.#blocks.map((block, layer) => ({ ...block, pool: pools[layer]!.pool }));
  }

  async open(slots: ToDevice<readonly OpenSlots[]>): Promise<void> {
    disposeTree(this.#open);
    this.#open = slots;
  }

  async next(token: number, position: number): Promise<Float32Array> {
    const { logits, blocks } = await this.graph.run(
      this.graph.params,
      this.#open,
      ndarray(Int32Array.of(token), [1], 'int32'),
      ndarray(position, [], 'int32'),
      this.#blocks,
    );
    this.#blocks = blocks;
    return take(logits);
  }

  fork(): GraphTokenForm {
    return new GraphTokenForm(this.graph);
  }

  async dispose(): Promise<void> {
    disposeTree([this.#blocks, this.#open]);
    this.#blocks = [];
    this.#open = [];
    this.graph.users -= 1;
    if (this.graph.users === 0) await this.graph.run.dispose();
  }
}
