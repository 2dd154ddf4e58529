import {
  type Compiled,
  type DeviceArray,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  type ToDevice,
  type ToHost,
  tf,
} from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig } from './config.js';
import {
  type Cache,
  type ClosedChunk,
  closeChunk,
  type DecodedToken,
  decodeToken,
  type OpenSlots,
  openChunk,
  type Pending,
  type PendingRows,
  settlePools,
} from './decode-graphs.js';
import { forwardExactly } from './forward.js';
import { disposeTree, isOnEngine } from './host.js';
import type { RsmParams } from './parameters.js';
import type { RsmModel } from './sequence-model.js';
import { hasHiddenSync, type RsmState } from './state.js';

export interface CausalDecoderOptions {
  readonly engine: Engine;
  readonly model: RsmModel;
  /** On the host or on the engine; they are the caller's. */
  readonly params: ToHost<RsmParams> | ToDevice<RsmParams>;
  /** Texts decoded side by side. Default 1 */
  readonly batch?: number;
}

/** The compiled parts of a decoder. */
interface Graphs {
  readonly init: Compiled<[RsmParams], RsmState>;
  readonly open: Compiled<[RsmParams, tf.Tensor], OpenSlots[]>;
  readonly token: Compiled<[RsmParams, OpenSlots[], tf.Tensor1D, tf.Tensor, Cache[]], DecodedToken>;
  readonly settle: Compiled<[RsmParams, tf.Tensor, Pending[], PendingRows], Pending[]>;
  readonly close: Compiled<[RsmParams, ClosedChunk, PendingRows], ClosedChunk>;
  readonly prefill: Compiled<[RsmParams, tf.Tensor2D, RsmState], { logits: tf.Tensor; state: RsmState }>;
}

function compileGraphs(engine: Engine, model: RsmModel, batch: number): Graphs {
  const config = model.options;
  return {
    init: engine.compile((params: RsmParams) => model.initState(params, batch), { name: 'rsm state' }),
    open: engine.compile((params: RsmParams, memory: tf.Tensor) => openChunk(config, params, memory), {
      name: 'rsm chunk start',
    }),
    token: engine.compile(
      (params: RsmParams, reads: OpenSlots[], token: tf.Tensor1D, position: tf.Tensor, caches: Cache[]) =>
        decodeToken(config, params, reads, token, position, caches),
      { name: 'rsm token', freeze: [0], donate: [4] },
    ),
    settle: engine.compile(
      (params: RsmParams, memory: tf.Tensor, pending: Pending[], rows: PendingRows) =>
        settlePools(config, params, memory, pending, rows),
      { name: 'rsm pools', donate: [2] },
    ),
    close: engine.compile(
      (params: RsmParams, { memory, pending, chunk }: ClosedChunk, rows: PendingRows) =>
        closeChunk(config, params, memory, pending, rows, chunk),
      { name: 'rsm chunk end', donate: [1] },
    ),
    prefill: engine.compile(
      (params: RsmParams, tokens: tf.Tensor2D, state: RsmState) => {
        const result = forwardExactly(config, params, tokens, state);
        const last = tf.slice(result.logits, [0, tokens.shape[1] - 1, 0], [batch, 1, config.vocabSize]);
        return { logits: tf.reshape(last, [batch, config.vocabSize]), state: result.state };
      },
      { name: 'rsm prefill', donate: [2] },
    ),
  };
}

/**
 * Cached decoding of the causal wirings at a cost per token that does not depend on the length of the text. Within a chunk the
 * memory is only read, so that its projections are folded once; what a token will write is kept as a row on the host, and
 * all rows enter the pools when the chunk is full. Parameters are frozen into the graph of a token.
 */
export class CausalDecoder {
  readonly #graphs: Graphs;
  readonly #params: ToDevice<RsmParams>;
  readonly #rows: RowBuffer;
  #closed!: ToDevice<ClosedChunk>;
  #caches!: ToDevice<Cache[]>;
  #reads: ToDevice<OpenSlots[]> | undefined;
  #position = 0;

  private constructor(
    readonly model: RsmModel,
    readonly batch: number,
    params: ToDevice<RsmParams>,
    private readonly ownsParams: boolean,
    graphs: Graphs,
  ) {
    this.#params = params;
    this.#graphs = graphs;
    this.#rows = new RowBuffer(model.options, batch);
  }

  /** @throws InputError for a wiring that leaks, which cannot be cached, or a sliding window. */
  static async create({ engine, model, params, batch = 1 }: CausalDecoderOptions): Promise<CausalDecoder> {
    const { preset, slidingWindow } = model.options;
    if (!isCausal(model.options)) {
      throw new InputError(
        `The preset '${preset}' cannot be decoded from caches, because every token changes what earlier ones read; use its own generator.`,
      );
    }
    if (slidingWindow > 0) {
      throw new InputError(
        "The cached decoder sees whole chunks; decode a sliding window with the model's step.",
      );
    }
    const ownsParams = !isOnEngine(params);
    const device = (ownsParams ? engine.put(params) : params) as ToDevice<RsmParams>;
    const graphs = compileGraphs(engine, model, batch);
    const decoder = new CausalDecoder(model, batch, device, ownsParams, graphs);
    decoder.#setState(await graphs.init(device as never), 0);
    return decoder;
  }

  /**
   * Reads a prompt, whole chunks at a time.
   * @param tokens int32 [batch, time] @returns the logits after its last token, [batch, vocabSize].
   */
  async prefill(tokens: NDArray): Promise<Float32Array> {
    const { chunkSize } = this.model.options;
    await this.#settle();
    const { memory, pending, chunk } = this.#closed;
    const state = {
      memory,
      position: ndarray(new Int32Array(this.batch).fill(this.#position), [this.batch], 'int32'),
      ...(chunk && { chunk }),
      blocks: pending.map((block, layer) => ({ ...this.#caches[layer]!, ...block })),
    };
    this.#closeReads();
    const result = await this.#graphs.prefill(this.#params as never, tokens, state as never);
    this.#setState(result.state, (this.#position + tokens.shape[1]!) % chunkSize);
    return take(result.logits);
  }

  /** Reads one token of every text. @returns the logits after it, [batch, vocabSize]. */
  async next(tokens: ArrayLike<number>): Promise<Float32Array> {
    const { chunkSize } = this.model.options;
    const params = this.#params as never;
    this.#reads ??= await this.#graphs.open(params, this.#closed.memory as never);
    const token = ndarray(Int32Array.from(tokens), [this.batch], 'int32');
    const position = ndarray(this.#position, [], 'int32');
    const result = await this.#graphs.token(
      params,
      this.#reads as never,
      token,
      position,
      this.#caches as never,
    );
    this.#caches = result.caches as ToDevice<Cache[]>;
    await this.#rows.put(this.#position, result.sources, result.hidden);
    this.#position += 1;
    if (this.#position === chunkSize) await this.#close();
    return take(result.logits);
  }

  /** Forgets everything that was read. */
  async reset(): Promise<void> {
    this.#disposeState();
    this.#rows.clear();
    this.#setState(await this.#graphs.init(this.#params as never), 0);
  }

  /** Gives back what the decoder holds on the engine. */
  async dispose(): Promise<void> {
    this.#disposeState();
    if (this.ownsParams) disposeTree(this.#params);
    await Promise.all(Object.values(this.#graphs).map((graph) => graph.dispose()));
  }

  async #close(): Promise<void> {
    this.#closeReads();
    this.#closed = await this.#graphs.close(
      this.#params as never,
      this.#closed as never,
      this.#rows.arrays() as never,
    );
    this.#rows.clear();
    this.#position = 0;
  }

  async #settle(): Promise<void> {
    if (this.#rows.isEmpty) return;
    const { memory, pending } = this.#closed;
    const settled = await this.#graphs.settle(
      this.#params as never,
      memory as never,
      pending as never,
      this.#rows.arrays() as never,
    );
    this.#closed = { ...this.#closed, pending: settled } as ToDevice<ClosedChunk>;
    this.#rows.clear();
  }

  #setState(state: ToDevice<RsmState>, position: number): void {
    const { memory, chunk, blocks } = state;
    const parts = blocks!.map(({ keys, values, ...pending }) => ({ cache: { keys, values }, pending }));
    state.position.dispose();
    this.#closed = { memory, pending: parts.map(({ pending }) => pending), ...(chunk && { chunk }) };
    this.#caches = parts.map(({ cache }) => cache);
    this.#position = position;
  }

  #closeReads(): void {
    if (this.#reads) disposeTree(this.#reads);
    this.#reads = undefined;
  }

  #disposeState(): void {
    this.#closeReads();
    disposeTree(this.#closed);
    disposeTree(this.#caches);
  }
}

/** Rows of the tokens of a chunk, on the host. */
class RowBuffer {
  readonly #sources: Float32Array;
  readonly #hidden: Float32Array | undefined;
  readonly #counts: Float32Array;

  constructor(
    private readonly config: RsmConfig,
    private readonly batch: number,
  ) {
    const size = batch * config.numLayers * config.chunkSize * config.hiddenSize;
    this.#sources = new Float32Array(size);
    this.#hidden = hasHiddenSync(config) ? new Float32Array(size) : undefined;
    this.#counts = new Float32Array(batch * config.chunkSize);
  }

  get isEmpty(): boolean {
    return !this.#counts.includes(1);
  }

  /** Takes the rows [batch, layers, d] of one place, and disposes of their arrays. */
  async put(place: number, sources: DeviceArray, hidden?: DeviceArray): Promise<void> {
    await this.#copy(place, sources, this.#sources);
    if (hidden) await this.#copy(place, hidden, this.#hidden!);
    for (let row = 0; row < this.batch; row++) this.#counts[row * this.config.chunkSize + place] = 1;
  }

  clear(): void {
    this.#counts.fill(0);
  }

  arrays(): ToHost<PendingRows> {
    const { numLayers, chunkSize, hiddenSize } = this.config;
    const rows = (data: Float32Array) => ndarray(data, [this.batch, numLayers, chunkSize, hiddenSize]);
    return {
      sources: rows(this.#sources),
      ...(this.#hidden && { hidden: rows(this.#hidden) }),
      counts: ndarray(this.#counts, [this.batch, chunkSize]),
    };
  }

  async #copy(place: number, array: DeviceArray, into: Float32Array): Promise<void> {
    const { chunkSize, hiddenSize: d } = this.config;
    const values = await take(array);
    for (let row = 0; row * d < values.length; row++) {
      into.set(values.subarray(row * d, (row + 1) * d), (row * chunkSize + place) * d);
    }
  }
}

async function take(array: DeviceArray): Promise<Float32Array> {
  const values = (await array.data()) as Float32Array;
  array.dispose();
  return values;
}
