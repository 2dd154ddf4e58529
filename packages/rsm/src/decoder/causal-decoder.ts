import type { StoredBits } from '@palimpsest/base';
import type { Decoder } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  InputError,
  isOnDevice,
  type NDArray,
  ndarray,
  type ToDevice,
  type ToHost,
  tf,
  toHost,
} from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig } from '../config.js';
import { advance } from '../forms/advance.js';
import { wholeChunks } from '../forms/forward.js';
import type { RsmParams } from '../parameters.js';
import { type BlockState, initialState, type RsmState, stateBytesOf } from '../state.js';
import { type ClosedChunk, closeChunk, type OpenSlots, openSlots } from './graph.js';
import { GraphTokenForm } from './graph-form.js';
import { fitsHost, HostTokenForm, prefersHost } from './host.js';
import { HostWeights } from './host-weights.js';
import { type Pools, type TokenForm, take } from './token-form.js';

export interface CausalDecoderOptions {
  /**
   * Where tokens are computed: by a graph of the engine, or by this package's own loops on the processor, which take widths in
   * multiples of 4. Default: the processor where that is faster, models up to 256 MiB on an engine that computes there too.
   */
  readonly tokens?: 'graph' | 'host';
  /**
   * Bits of the matrices that a token meets on the processor. With 8, chunks that are read at once and what a full chunk
   * writes have 32 still. Default 32
   */
  readonly bits?: StoredBits | undefined;
}

/** Most tokens that are read by one call where all chunks are computed at once. */
const MOST_AT_ONCE = 512;
/** Pieces of a chunk that the graph reads at once. */
const PIECES = [64, 8];

interface Prefilled {
  readonly logits: tf.Tensor;
  readonly memory: tf.Tensor;
  readonly chunk?: tf.Tensor | undefined;
}

interface Advanced {
  readonly logits: tf.Tensor;
  readonly blocks: readonly BlockState[];
}

/** What all forks of a decoder share: parameters and compiled parts. */
class Shared {
  users = 0;
  readonly params: ToDevice<RsmParams>;
  readonly init: Compiled<[RsmParams], RsmState>;
  readonly open: Compiled<[RsmParams, tf.Tensor], OpenSlots[]>;
  readonly close: Compiled<[RsmParams, tf.Tensor, Pools, tf.Tensor | undefined], ClosedChunk>;
  readonly chunks: Compiled<[RsmParams, tf.Tensor2D, tf.Tensor, tf.Tensor | undefined], Prefilled>;
  readonly piece: Compiled<[RsmParams, tf.Tensor2D, RsmState], Advanced>;
  readonly #ownsParams: boolean;

  constructor(
    readonly engine: Engine,
    readonly config: RsmConfig,
    params: ToHost<RsmParams> | ToDevice<RsmParams>,
  ) {
    this.#ownsParams = !isOnDevice(params);
    this.params = (this.#ownsParams ? engine.put(params) : params) as ToDevice<RsmParams>;
    this.init = engine.compile((weights: RsmParams) => initialState(config, weights, 1), {
      name: 'rsm state',
    });
    this.open = engine.compile(
      (weights: RsmParams, memory: tf.Tensor) => openSlots(config, weights, memory),
      {
        name: 'rsm chunk start',
      },
    );
    this.close = engine.compile(
      (weights: RsmParams, memory: tf.Tensor, pending: Pools, chunk: tf.Tensor | undefined) =>
        closeChunk(config, weights, memory, pending, chunk),
      { name: 'rsm chunk end' },
    );
    this.chunks = engine.compile(
      (weights: RsmParams, tokens: tf.Tensor2D, memory: tf.Tensor, chunk: tf.Tensor | undefined) => {
        const { logits, state } = wholeChunks(config, weights, tokens, { memory, chunk });
        return { logits: lastRow(logits), ...state };
      },
      { name: 'rsm chunks' },
    );
    this.piece = engine.compile(
      (weights: RsmParams, tokens: tf.Tensor2D, state: RsmState) => {
        const { logits, state: next } = advance(config, weights, tokens, state, false);
        return { logits: lastRow(logits), blocks: next.blocks! };
      },
      { name: 'rsm piece' },
    );
  }

  async release(): Promise<void> {
    this.users -= 1;
    if (this.users > 0) return;
    if (this.#ownsParams) disposeTree(this.params);
    await Promise.all(
      [this.init, this.open, this.close, this.chunks, this.piece].map((graph) => graph.dispose()),
    );
  }
}

const lastRow = (logits: tf.Tensor) =>
  tf.reshape(tf.slice(logits, [0, logits.shape[1]! - 1, 0], [1, 1, -1]), [-1]);

/**
 * Decoding of the causal wirings at a cost per token that does not depend on the length of the text (DERIVATION.md,
 * "Decoding"). Within a chunk the memory is only read, so its projections are folded once; whole chunks of a prompt are read at
 * once. Between two tokens the decoder holds what the model's own state holds.
 */
export class CausalDecoder implements Decoder {
  #memory!: DeviceArray;
  #chunk: DeviceArray | undefined;
  #position = 0;
  #isOpen = false;

  private constructor(
    private readonly shared: Shared,
    private readonly tokens: TokenForm,
  ) {
    shared.users += 1;
  }

  /**
   * A decoder before the first token.
   * @param params on the host or on the engine; they are the caller's
   * @throws InputError for a wiring that leaks, which cannot be cached, a sliding window, or `tokens: 'host'` where it cannot be.
   */
  static async create(
    engine: Engine,
    config: RsmConfig,
    params: ToHost<RsmParams> | ToDevice<RsmParams>,
    { tokens, bits = 32 }: CausalDecoderOptions = {},
  ): Promise<CausalDecoder> {
    checkWiring(config);
    if ((tokens === 'host' || bits === 8) && !fitsHost(config)) {
      throw new InputError(
        'Tokens on the processor take a hiddenSize and an MLP width that are multiples of 4, and WebAssembly with vectors; use the graph.',
      );
    }
    if (bits === 8 && tokens === 'graph') {
      throw new InputError(
        'Weights of 8 bits are read on the processor, and not by the graph; leave tokens away.',
      );
    }
    const onHost = bits === 8 || (tokens ? tokens === 'host' : computesOnHost(engine) && prefersHost(config));
    const shared = new Shared(engine, config, params);
    const form = onHost
      ? new HostTokenForm(config, new HostWeights(config, (await toHost(params)) as RsmParams<NDArray>, bits))
      : GraphTokenForm.create(engine, config, shared.params);
    const decoder = new CausalDecoder(shared, form);
    await decoder.#begin();
    return decoder;
  }

  /** Where tokens are computed. */
  get runsOn(): 'graph' | 'host' {
    return this.tokens instanceof HostTokenForm ? 'host' : 'graph';
  }

  get stateBytes(): number {
    return stateBytesOf(this.shared.config);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    let logits: Float32Array = new Float32Array();
    for (let from = 0; from < ids.length; ) {
      const size = this.#pieceOf(ids.length - from);
      if (size === 1) logits = await this.#token(ids[from]!);
      else logits = await this.#several(Int32Array.from({ length: size }, (_, index) => ids[from + index]!));
      from += size;
    }
    return logits;
  }

  async state(): Promise<unknown> {
    const [memory, chunk] = await toHost([this.#memory, ...(this.#chunk ? [this.#chunk] : [])]);
    return {
      memory,
      position: ndarray(Int32Array.of(this.#position), [1], 'int32'),
      chunk,
      blocks: await toHost(this.tokens.blocks()),
    };
  }

  async restore(state: unknown): Promise<void> {
    const { memory, position, chunk, blocks } = state as ToHost<RsmState>;
    this.#replace(this.shared.engine.put(memory), chunk && this.shared.engine.put(chunk));
    await this.tokens.setBlocks(blocks!);
    this.#position = Number(position.data[0]);
  }

  async reset(): Promise<void> {
    await this.#begin();
  }

  async fork(): Promise<CausalDecoder> {
    const fork = new CausalDecoder(this.shared, this.tokens.fork());
    await fork.restore(await this.state());
    return fork;
  }

  async dispose(): Promise<void> {
    disposeTree([this.#memory, this.#chunk]);
    await this.tokens.dispose();
    await this.shared.release();
  }

  /** Tokens that the next call reads: whole chunks at a chunk's start, or a piece that stays within the chunk. */
  #pieceOf(rest: number): number {
    const { chunkSize } = this.shared.config;
    const whole = this.#position === 0 ? [Math.floor(MOST_AT_ONCE / chunkSize) * chunkSize, chunkSize] : [];
    const pieces = this.runsOn === 'graph' ? PIECES.filter((size) => this.#position + size < chunkSize) : [];
    return [...whole, ...pieces].find((size) => size > 1 && size <= rest) ?? 1;
  }

  async #token(id: number): Promise<Float32Array> {
    const { open, params, config } = this.shared;
    if (!this.#isOpen) await this.tokens.open(await open(params, this.#memory));
    this.#isOpen = true;
    const logits = await this.tokens.next(id, this.#position);
    this.#position += 1;
    if (this.#position === config.chunkSize) await this.#close();
    return logits;
  }

  async #close(): Promise<void> {
    const pending = this.tokens.blocks().map(({ pool, hidden }) => ({ pool, hidden }));
    const { close, params } = this.shared;
    const { memory, pools, chunk } = await close(params, this.#memory, pending, this.#chunk);
    this.#replace(memory, chunk);
    await this.tokens.setPools(pools);
    this.#position = 0;
  }

  async #several(ids: Int32Array): Promise<Float32Array> {
    const tokens = ndarray(ids, [1, ids.length], 'int32');
    const { chunks, piece, params, config } = this.shared;
    if (ids.length % config.chunkSize === 0) {
      const { logits, memory, chunk } = await chunks(params, tokens, this.#memory, this.#chunk);
      this.#replace(memory, chunk);
      return take(logits);
    }
    const state = {
      memory: this.#memory,
      position: ndarray(Int32Array.of(this.#position), [1], 'int32'),
      blocks: this.tokens.blocks(),
    };
    const { logits, blocks } = await piece(params, tokens, state);
    await this.tokens.setBlocks(blocks);
    this.#position += ids.length;
    return take(logits);
  }

  async #begin(): Promise<void> {
    const { memory, position, chunk, blocks } = await this.shared.init(this.shared.params);
    position.dispose();
    this.#replace(memory, chunk);
    await this.tokens.setBlocks(blocks!);
    this.#position = 0;
  }

  #replace(memory: DeviceArray, chunk: DeviceArray | undefined): void {
    disposeTree([this.#memory, this.#chunk]);
    this.#memory = memory;
    this.#chunk = chunk;
    this.#isOpen = false;
  }
}

function checkWiring(config: RsmConfig): void {
  if (!isCausal(config)) {
    throw new InputError(
      `The preset '${config.preset}' cannot be decoded from caches, because every token changes what earlier ones read; use the model's decoder.`,
    );
  }
  if (config.slidingWindow > 0) {
    throw new InputError(
      "The cached decoder sees whole chunks; decode a sliding window with the model's step.",
    );
  }
}

/** Whether an engine computes on the processor that this program runs on. */
const computesOnHost = (engine: Engine) =>
  engine.name === 'cpu' || engine.name === 'onnx' || engine.name === 'wasm';
