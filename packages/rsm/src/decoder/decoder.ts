import {
  type Compiled,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  type ToDevice,
  type ToHost,
  tf,
} from '@palimpsest/tensor-core';
import { isCausal } from '../config.js';
import { forwardExactly } from '../forms/forward.js';
import { copyToHost, disposeTree, isOnEngine } from '../host.js';
import type { RsmParams } from '../parameters.js';
import type { RsmModel } from '../sequence-model.js';
import type { RsmState } from '../state.js';
import { type ClosedChunk, closeChunk, type Pending, type PendingRows, settlePools } from './graph.js';
import { fitsHost, HostTokenForm, prefersHost } from './host.js';
import { RowBuffer } from './row-buffer.js';
import { GraphTokenForm, type TokenForm, take } from './token-form.js';

export interface CausalDecoderOptions {
  readonly engine: Engine;
  readonly model: RsmModel;
  /** On the host or on the engine; they are the caller's. */
  readonly params: ToHost<RsmParams> | ToDevice<RsmParams>;
  /** Texts decoded side by side. Default 1 */
  readonly batch?: number;
  /**
   * Where tokens are computed: by a graph of the engine, or by this package's own loops on the processor, which take one
   * text and widths in multiples of 4. Default: the processor where that is faster, one text of a model up to 256 MB on
   * an engine that computes there too.
   */
  readonly tokens?: 'graph' | 'host';
}

/** The compiled parts of a decoder. */
interface Graphs {
  readonly init: Compiled<[RsmParams], RsmState>;
  readonly settle: Compiled<[RsmParams, tf.Tensor, Pending[], PendingRows], Pending[]>;
  readonly close: Compiled<[RsmParams, ClosedChunk, PendingRows], ClosedChunk>;
  readonly prefill: Compiled<[RsmParams, tf.Tensor2D, RsmState], { logits: tf.Tensor; state: RsmState }>;
}

function compileGraphs(engine: Engine, model: RsmModel, batch: number): Graphs {
  const config = model.options;
  return {
    init: engine.compile((params: RsmParams) => model.initState(params, batch), { name: 'rsm state' }),
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
 * all rows enter the pools when the chunk is full. Parameters are those of its creation.
 */
export class CausalDecoder {
  readonly #graphs: Graphs;
  readonly #params: ToDevice<RsmParams>;
  readonly #rows: RowBuffer;
  #closed!: ToDevice<ClosedChunk>;
  #isOpen = false;
  #position = 0;

  private constructor(
    readonly model: RsmModel,
    readonly batch: number,
    params: ToDevice<RsmParams>,
    private readonly ownsParams: boolean,
    graphs: Graphs,
    private readonly tokens: TokenForm,
  ) {
    this.#params = params;
    this.#graphs = graphs;
    this.#rows = new RowBuffer(model.options, batch);
  }

  /** @throws InputError for a wiring that leaks, which cannot be cached, or a sliding window. */
  static async create({
    engine,
    model,
    params,
    batch = 1,
    tokens,
  }: CausalDecoderOptions): Promise<CausalDecoder> {
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
    if (tokens === 'host' && !fitsHost(model.options, batch)) {
      throw new InputError(
        'Tokens on the processor take one text, a hiddenSize and a head width that are multiples of 4, and WebAssembly with vectors; use the graph.',
      );
    }
    const ownsParams = !isOnEngine(params);
    const device = (ownsParams ? engine.put(params) : params) as ToDevice<RsmParams>;
    const onHost = tokens ? tokens === 'host' : computesOnHost(engine) && prefersHost(model.options, batch);
    const form = onHost
      ? new HostTokenForm(engine, model.options, device, await hostNumbers(params))
      : new GraphTokenForm(engine, model.options, device);
    const graphs = compileGraphs(engine, model, batch);
    const decoder = new CausalDecoder(model, batch, device, ownsParams, graphs, form);
    await decoder.#setState(await graphs.init(device as never), 0);
    return decoder;
  }

  /** Place of the next token in its chunk. */
  get position(): number {
    return this.#position;
  }

  /** Where tokens are computed. */
  get runsOn(): 'graph' | 'host' {
    return this.tokens instanceof HostTokenForm ? 'host' : 'graph';
  }

  /**
   * Reads a prompt, whole chunks at a time.
   * @param tokens int32 [batch, time] @returns the logits after its last token, [batch, vocabSize].
   */
  async prefill(tokens: NDArray): Promise<Float32Array> {
    const { chunkSize } = this.model.options;
    await this.#settle();
    const { memory, pending, chunk } = this.#closed;
    const caches = this.tokens.takeCaches();
    const state = {
      memory,
      position: ndarray(new Int32Array(this.batch).fill(this.#position), [this.batch], 'int32'),
      ...(chunk && { chunk }),
      blocks: pending.map((block, layer) => ({ ...caches[layer]!, ...block })),
    };
    const result = await this.#graphs.prefill(this.#params as never, tokens, state as never);
    await this.#setState(result.state, (this.#position + tokens.shape[1]!) % chunkSize);
    return take(result.logits);
  }

  /** Reads one token of every text. @returns the logits after it, [batch, vocabSize]. */
  async next(tokens: ArrayLike<number>): Promise<Float32Array> {
    const { chunkSize } = this.model.options;
    if (!this.#isOpen) await this.tokens.open(this.#closed.memory);
    this.#isOpen = true;
    const { logits, sources, hidden } = await this.tokens.next(tokens, this.#position);
    this.#rows.put(this.#position, sources, hidden);
    this.#position += 1;
    if (this.#position === chunkSize) await this.#close();
    return logits;
  }

  /** Forgets everything that was read. */
  async reset(): Promise<void> {
    disposeTree(this.#closed);
    this.#rows.clear();
    await this.#setState(await this.#graphs.init(this.#params as never), 0);
  }

  /** Gives back what the decoder holds on the engine. */
  async dispose(): Promise<void> {
    disposeTree(this.#closed);
    await this.tokens.dispose();
    if (this.ownsParams) disposeTree(this.#params);
    await Promise.all(Object.values(this.#graphs).map((graph) => graph.dispose()));
  }

  async #close(): Promise<void> {
    this.#closed = await this.#graphs.close(
      this.#params as never,
      this.#closed as never,
      this.#rows.arrays() as never,
    );
    this.#rows.clear();
    this.tokens.close();
    this.#position = 0;
    this.#isOpen = false;
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

  async #setState(state: ToDevice<RsmState>, position: number): Promise<void> {
    const { memory, chunk, blocks } = state;
    const parts = blocks!.map(({ keys, values, ...pending }) => ({ cache: { keys, values }, pending }));
    state.position.dispose();
    this.#closed = { memory, pending: parts.map(({ pending }) => pending), ...(chunk && { chunk }) };
    await this.tokens.setCaches(parts.map(({ cache }) => cache));
    this.#isOpen = false;
    this.#position = position;
  }
}

/** Whether an engine computes on the processor that this program runs on. */
const computesOnHost = (engine: Engine) =>
  engine.name === 'cpu' || engine.name === 'onnx' || engine.name === 'wasm';

const hostNumbers = async (params: ToHost<RsmParams> | ToDevice<RsmParams>) =>
  (isOnEngine(params) ? await copyToHost(params) : params) as RsmParams<NDArray>;
