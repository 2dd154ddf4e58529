import { type Decoder, type DecoderOptions, StepDecoder } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  isOnDevice,
  type MapLeaves,
  type Matrix,
  type NDArray,
  ndarray,
  type tf,
  toHost,
} from '@palimpsest/tensor-core';
import { emptyState, type LayerCache, slotsOf, type TransformerState } from './cache.js';
import type { TransformerConfig } from './config.js';
import { type DecoderTables, decoderTables } from './decoder.js';
import type { Lengths } from './fused-ops.js';
import { type FusedAngles, type FusedResult, type FusedRows, runFused } from './fused-run.js';
import type { TransformerParameters } from './parameters.js';
import { inOrderOfPositions, resized } from './resized-state.js';
import type { Transformer } from './transformer.js';

/** Slots of the smallest cache; the next ones have twice as many. */
const SMALLEST = 256;
/** Rows that are read at once: more read the weights no better. */
const MOST_ROWS = 128;
/** Numbers of all heads' scores that the runtime holds at once. */
const MOST_SCORES = 2 ** 24;
/** ONNX Runtime rotates heads whose width is a multiple of this. */
const HEAD_MULTIPLE = 16;

/** Whether the engine has the nodes, and the model nothing beyond them. */
export function isFusible(engine: Engine, config: TransformerConfig): boolean {
  const { evictable, rotaryScaling, positions, headWidth } = config;
  const dependsOnLength = rotaryScaling?.kind === 'dynamic' || rotaryScaling?.kind === 'longrope';
  const hasNodes = engine.name === 'onnx' && engine.describe().device === 'cpu';
  return (
    hasNodes &&
    !evictable &&
    !dependsOnLength &&
    positions !== 'sinusoidal' &&
    headWidth % HEAD_MULTIPLE === 0
  );
}

type Caches<T> = readonly LayerCache<T>[];
type Call = Compiled<[unknown, FusedRows, FusedAngles, Lengths, tf.Tensor, Caches<tf.Tensor>], FusedResult>;

/** What all texts of one model share. */
class FusedForms<P> {
  readonly #call: Call;
  readonly #angles = new Map<number, MapLeaves<FusedAngles<NDArray>, NDArray, DeviceArray>>();
  readonly #tables: DecoderTables;
  readonly #params: unknown;
  #general: Promise<StepDecoder> | undefined;
  /** Texts that use them. */
  users = 0;

  constructor(
    readonly engine: Engine,
    readonly model: Transformer<P>,
    complete: (params: P) => TransformerParameters<tf.Tensor, Matrix>,
    private readonly given: unknown,
    private readonly options: DecoderOptions,
  ) {
    const { options: config, name } = model;
    this.#tables = decoderTables(config);
    this.#params = isOnDevice(given) ? given : engine.put(given);
    this.#call = engine.compile(
      (
        params: unknown,
        rows: FusedRows,
        angles: FusedAngles,
        lengths: Lengths,
        slots: tf.Tensor,
        layers: Caches<tf.Tensor>,
      ) => runFused(config, complete(params as P), rows, lengths, slots, angles, layers),
      { name: `${name}.decode`, donate: [5], freeze: [0], freeAxes: { 1: 1, 2: 0, 4: 2, 5: 2 } },
    ) as Call;
  }

  get config(): TransformerConfig {
    return this.model.options;
  }

  /** Slots of the smallest cache that holds so many tokens. */
  sizeFor(tokens: number): number {
    const slots = slotsOf(this.config);
    let size = SMALLEST;
    while (size < tokens) size *= 2;
    return Math.min(size, slots);
  }

  /** How many tokens are read at once. */
  rowsFor(size: number): number {
    const given = this.options.chunks;
    if (given !== undefined) return Math.max(1, ...given);
    return Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_SCORES / (this.config.heads * size))));
  }

  empty(size: number): Caches<DeviceArray> {
    const { config, engine } = this;
    return engine.put(emptyState({ ...config, sinks: 0, capacity: size }, 1).layers);
  }

  /** Reads tokens behind the others. The cache is consumed. */
  async read(ids: Int32Array, position: number, size: number, layers: Caches<DeviceArray>) {
    const total = position + ids.length;
    const line = (data: Int32Array, ...shape: number[]) => ndarray(data, shape, 'int32');
    // Sinks beside a window can reach beyond the learned positions: such a token gets the last row.
    const places = () => ids.map((_, index) => Math.min(position + index, this.config.context - 1));
    const rows = {
      tokens: line(ids, 1, ids.length),
      positions: this.config.positions === 'learned' ? line(places(), 1, ids.length) : undefined,
    };
    const lengths = {
      first: line(Int32Array.of(position), 1),
      last: line(Int32Array.of(total - 1), 1),
      total: line(Int32Array.of(total), 1),
    };
    const { keyValueHeads } = this.config;
    const slots = Int32Array.from(
      { length: keyValueHeads * ids.length },
      (_, index) => position + (index % ids.length),
    );
    return this.#call(
      this.#params,
      rows,
      this.#anglesOf(size),
      lengths,
      line(slots, 1, keyValueHeads, ids.length),
      layers,
    );
  }

  /** A decoder for texts that the cache is too small for, before the first token. */
  async general(): Promise<StepDecoder> {
    const { engine, model, options } = this;
    this.#general ??= StepDecoder.create(engine, model, this.#params, options);
    return (await this.#general).another();
  }

  async dispose(): Promise<void> {
    await this.#call.dispose();
    if (this.#general) await (await this.#general).dispose();
    for (const angles of this.#angles.values()) disposeTree(angles);
    if (this.#params !== this.given) disposeTree(this.#params);
  }

  #anglesOf(size: number) {
    const known = this.#angles.get(size);
    if (known) return known;
    const { rotary, localRotary } = this.#tables;
    const made = this.engine.put<FusedAngles<NDArray>>({
      rotary: rotary?.firstRows(size),
      localRotary: localRotary?.firstRows(size),
    });
    this.#angles.set(size, made);
    return made;
  }
}

/**
 * Decodes one text in few large nodes of ONNX Runtime, by one graph for any number of tokens and any size of the cache. The
 * cache doubles as the text fills it. When a text outgrows the cache that the model shall have, or a memory has gaps, the
 * general decoder goes on.
 */
export class FusedDecoder<P> implements Decoder {
  #layers: Caches<DeviceArray>;
  #size: number;
  #position = 0;
  /** Goes on in place of the fused form. */
  #general: StepDecoder | undefined;

  private constructor(private readonly forms: FusedForms<P>) {
    this.#size = forms.sizeFor(0);
    this.#layers = forms.empty(this.#size);
    forms.users += 1;
  }

  /**
   * @param complete all weights, from those that are given at every call
   * @param params on the host, or on the engine (they stay the caller's).
   */
  static async create<P>(
    engine: Engine,
    model: Transformer<P>,
    complete: (params: P) => TransformerParameters<tf.Tensor, Matrix>,
    params: unknown,
    options: DecoderOptions = {},
  ): Promise<FusedDecoder<P>> {
    return new FusedDecoder(new FusedForms(engine, model, complete, params, options));
  }

  get stateBytes(): number {
    if (this.#general) return this.#general.stateBytes;
    const { layers, keyValueHeads, headWidth } = this.forms.config;
    return 4 * 2 * layers * keyValueHeads * headWidth * this.#size;
  }

  async reserve(tokens: number): Promise<void> {
    const { forms } = this;
    if (this.#general) return;
    const size = forms.sizeFor(this.#position + tokens);
    if (size <= this.#size) return;
    const { layers } = resized(forms.config, await this.#state(), size);
    this.#replace(layers, size);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const { forms } = this;
    const tokens = Int32Array.from(ids);
    let logits: DeviceArray | undefined;
    for (let at = 0; at < tokens.length; ) {
      const rest = tokens.subarray(at);
      const room = slotsOf(forms.config) - this.#position;
      if (!this.#general && room === 0) await this.#generalise(await this.state());
      if (this.#general) {
        logits?.dispose();
        return this.#general.read(rest);
      }
      await this.reserve(rest.length);
      const piece = rest.slice(0, Math.min(room, forms.rowsFor(this.#size)));
      const result = await forms.read(piece, this.#position, this.#size, this.#layers);
      logits?.dispose();
      ({ logits, layers: this.#layers } = result);
      this.#position += piece.length;
      at += piece.length;
    }
    const values = (await logits!.data()) as Float32Array;
    logits!.dispose();
    return values;
  }

  async state(): Promise<unknown> {
    if (this.#general) return this.#general.state();
    const { config } = this.forms;
    return resized(config, await this.#state(), slotsOf(config));
  }

  async restore(state: unknown): Promise<void> {
    const { forms } = this;
    const given = state as TransformerState<NDArray>;
    const position = given.position.data[0]!;
    const size = forms.sizeFor(position);
    const ordered = inOrderOfPositions(forms.config, given, size);
    if (!ordered) return this.#generalise(given);
    await this.#leaveGeneral();
    this.#replace(ordered.layers, size);
    this.#position = position;
  }

  async reset(): Promise<void> {
    await this.#leaveGeneral();
    disposeTree(this.#layers);
    this.#position = 0;
    this.#size = this.forms.sizeFor(0);
    this.#layers = this.forms.empty(this.#size);
  }

  async fork(): Promise<FusedDecoder<P>> {
    const copy = new FusedDecoder(this.forms);
    await copy.restore(await this.state());
    return copy;
  }

  async dispose(): Promise<void> {
    await this.#general?.dispose();
    disposeTree(this.#layers);
    this.#layers = [];
    this.forms.users -= 1;
    if (this.forms.users === 0) await this.forms.dispose();
  }

  /** The memory on the host, of as many slots as it has. */
  async #state(): Promise<TransformerState<NDArray>> {
    const layers = (await toHost(this.#layers)) as Caches<NDArray>;
    const positions = Int32Array.from({ length: this.#size }, (_, slot) =>
      slot < this.#position ? slot : -1,
    );
    return {
      position: ndarray(Int32Array.of(this.#position), [1], 'int32'),
      positions: ndarray(positions, [1, 1, this.#size], 'int32'),
      layers,
    };
  }

  #replace(layers: Caches<NDArray>, size: number): void {
    disposeTree(this.#layers);
    this.#layers = this.forms.engine.put(layers);
    this.#size = size;
  }

  async #generalise(state: unknown): Promise<void> {
    this.#general ??= await this.forms.general();
    await this.#general.restore(state);
    disposeTree(this.#layers);
    this.#layers = [];
  }

  async #leaveGeneral(): Promise<void> {
    await this.#general?.dispose();
    this.#general = undefined;
  }
}
