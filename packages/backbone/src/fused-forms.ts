import { type DecoderOptions, StepDecoder } from '@palimpsest/lm';
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
} from '@palimpsest/tensor-core';
import { emptyState, type LayerCache, slotsOf } from './cache.js';
import type { TransformerConfig } from './config.js';
import { type DecoderTables, decoderTables } from './decoder.js';
import type { Lengths } from './fused-ops.js';
import { type FusedAngles, type FusedResult, type FusedRows, runFused } from './fused-run.js';
import type { TransformerParameters } from './parameters.js';
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

/** Keys and values of all layers, a slot for every position. */
export type FusedCaches<T> = readonly LayerCache<T>[];
type Call = Compiled<
  [unknown, FusedRows, FusedAngles, Lengths, tf.Tensor, FusedCaches<tf.Tensor>],
  FusedResult
>;

/** Tokens of one model behind any cache, by one graph, and what all its texts share. */
export class FusedForms<P> {
  readonly #call: Call;
  readonly #angles = new Map<number, MapLeaves<FusedAngles<NDArray>, NDArray, DeviceArray>>();
  readonly #tables: DecoderTables;
  readonly #params: unknown;
  #general: Promise<StepDecoder> | undefined;
  /** Texts that use them. */
  users = 0;

  /**
   * @param complete all weights, from those that are given at every call
   * @param given those, on the host or on the engine
   * @param isFrozen small ones become part of the graph
   */
  constructor(
    readonly engine: Engine,
    readonly model: Transformer<P>,
    complete: (params: P) => TransformerParameters<tf.Tensor, Matrix>,
    private readonly given: unknown,
    private readonly options: DecoderOptions,
    isFrozen = true,
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
        layers: FusedCaches<tf.Tensor>,
      ) => runFused(config, complete(params as P), rows, lengths, slots, angles, layers),
      {
        name: `${name}.decode`,
        donate: [5],
        freeze: isFrozen ? [0] : [],
        freeAxes: { 1: 1, 2: 0, 4: 2, 5: 2 },
      },
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

  empty(size: number): FusedCaches<DeviceArray> {
    const { config, engine } = this;
    return engine.put(emptyState({ ...config, sinks: 0, capacity: size }, 1).layers);
  }

  /** Reads tokens behind the others. The cache is consumed. */
  async read(ids: Int32Array, position: number, size: number, layers: FusedCaches<DeviceArray>) {
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
