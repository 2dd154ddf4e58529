import { dropout, formatShape, InputError, type Matrix, matrixLinear, tf } from '@palimpsest/tensor-core';
import { blockForward, type KeyValuePrefix, normalise } from './block.js';
import { isMarkedEmpty, type TransformerState } from './cache.js';
import { checkState } from './check-state.js';
import type { TransformerConfig } from './config.js';
import { checkPlacement, type Placement, planInOrder } from './growing-plan.js';
import { type DecoderInput, inputRows, type Rows } from './input-rows.js';
import type { BlockParameters, TransformerParameters } from './parameters.js';
import { type Angles, PositionAngles } from './position-angles.js';
import { embedPositions, type Places, placeRows } from './positions.js';
import { localFrequencies, rotarySpeeds, sinusoidalFrequencies } from './rotary-frequencies.js';
import { planFirstTokens, planTokens, type SlotPlan } from './slot-plan.js';

/** What a run shall give beside the state, and how it computes. */
export interface DecoderOptions {
  /**
   * Positions whose logits are wanted: all (default), the last one, none, or those of a list, int32 `[count]` in
   * 0 … batch · time − 1, counted row by row.
   */
  readonly logits?: 'all' | 'last' | 'none' | tf.Tensor1D;
  /** Give the hidden states of every layer. Default false. */
  readonly hidden?: boolean;
  /** Give the attention probabilities of this many newest queries. Default 0. */
  readonly observedQueries?: number;
  /** Give the queries of every layer as they are before rotation. Default false. */
  readonly queries?: boolean;
  /**
   * Where new rows go. 'window' (default): into slots that are empty or hold the oldest entries. For evictable caches without
   * sinks also 'extend': every layer's arrays grow by the rows, and nothing moves or drops out; and 'behind': a single row goes
   * into the slot behind the newest entry of each head, so that slots stay in order of age. The caller has made room there
   * (`withRoom`); on engines with graphs a row without room is an error, not an entry lost.
   */
  readonly placement?: Placement;
  /** Dropout is on. Default false. */
  readonly training?: boolean;
  /** int32 [2], from `Rng.key()`; without it nothing is dropped. */
  readonly dropoutKey?: tf.Tensor | undefined;
}

export interface DecoderResult {
  /** `[batch, time, vocabSize]` of the rows asked for, `[1, count, vocabSize]` of a list; the soft prefix counts as rows. */
  readonly logits?: tf.Tensor3D | undefined;
  /** The cache after the last row. */
  readonly state: TransformerState;
  /**
   * `[batch, time, modelWidth]` each, layers + 1 of them: the embeddings with positions, the output of every block but
   * the last, and the last block's output after the final norm.
   */
  readonly hidden?: readonly tf.Tensor3D[] | undefined;
  /**
   * Per layer `[batch, heads, queries, columns]`. Columns are aligned with the slots of the cache after the call at the
   * right end; positions tell which entry a slot holds. A per-layer prefix takes the columns at the left end.
   */
  readonly attention?: readonly tf.Tensor4D[] | undefined;
  /** Per layer `[batch, heads, time, headWidth]`, before rotation and scaling. */
  readonly queries?: readonly tf.Tensor4D[] | undefined;
}

/** Angle tables of a model, made once. */
export interface DecoderTables {
  readonly rotary?: PositionAngles | undefined;
  /** Of local layers; absent when they turn as all others do. */
  readonly localRotary?: PositionAngles | undefined;
  readonly sinusoidal?: PositionAngles | undefined;
}

export function decoderTables(config: TransformerConfig): DecoderTables {
  const { positions, localLayers } = config;
  const isRotary = positions === 'rotary';
  const { frequencies, magnitude } = rotarySpeeds(config);
  const local = isRotary && localLayers.length > 0 ? localFrequencies(config) : undefined;
  return {
    rotary: isRotary ? new PositionAngles(frequencies, magnitude) : undefined,
    localRotary: local && new PositionAngles(local),
    sinusoidal:
      positions === 'sinusoidal' ? new PositionAngles(sinusoidalFrequencies(config.modelWidth)) : undefined,
  };
}

/**
 * Runs a decoder over new rows behind any cache. Pure; on engines with graphs the shapes alone decide the graph.
 * @throws InputError when the shapes of the input or of the state do not fit the model, or a list of positions is not int32
 * `[count]`. A position beyond the last is an error of the engine, which alone sees the values.
 */
export function runDecoder(
  config: TransformerConfig,
  tables: DecoderTables,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  input: DecoderInput,
  state: TransformerState,
  options: DecoderOptions = {},
): DecoderResult {
  const rows = inputRows(config, parameters, input);
  const { batch, time } = rows;
  checkState(config, state, batch);
  const places = placeRows(config, rows, input, state);
  const drop = dropoutAt(config, options);
  const embedded = embedPositions(config, tables, parameters, rows.embeddings, places);
  const first = tf.reshape(embedded, [batch * time, config.modelWidth]);
  let x = drop ? drop(first, 0) : first;
  const anglesOf = layerAngles(config, tables, places, time);
  const planOf = cachePlans(config, rows, places, state, input.layerPrefix, options.placement);
  const queries: tf.Tensor4D[] = [];
  const caches: TransformerState['layers'][number][] = [];
  const hidden: tf.Tensor[] = [x];
  const attention: tf.Tensor4D[] = [];
  parameters.blocks.forEach((block, layer) => {
    const prefix = input.layerPrefix?.[layer];
    const slotBias = input.slotBias?.[layer];
    const angles = anglesOf(layer);
    const result = blockForward(block, x, {
      config,
      batch,
      time,
      cache: state.layers[layer]!,
      plan: planOf(layer),
      angles,
      prefix,
      slotBias,
      observedQueries: options.observedQueries ?? 0,
      withQueries: options.queries === true,
      dropout: drop && ((value: tf.Tensor, branch: 0 | 1) => drop(value, 1 + 2 * layer + branch)),
    });
    x = result.rows;
    caches.push(result.cache);
    hidden.push(x);
    if (result.probabilities) attention.push(result.probabilities);
    if (result.queries) queries.push(result.queries);
  });
  const output = readOut(config, parameters, x, rows, options);
  hidden[hidden.length - 1] = output.final;
  return {
    logits: output.logits,
    hidden: options.hidden
      ? hidden.map((value) => tf.reshape(value, [batch, time, config.modelWidth]) as tf.Tensor3D)
      : undefined,
    attention: attention.length > 0 ? attention : undefined,
    queries: queries.length > 0 ? queries : undefined,
    state: {
      position: places.next,
      positions: state.positions && planOf(0).positions,
      layers: caches,
    },
  };
}

/** The rotary angles of every layer, made once for all layers that turn alike. */
export function layerAngles(
  config: TransformerConfig,
  tables: DecoderTables,
  places: Places,
  time: number,
): (layer: number) => Angles | undefined {
  const { localLayers, unrotatedLayers } = config;
  const make = memoised((table: PositionAngles) =>
    places.fromStart ? table.firstPositions(time) : table.at(places.positions),
  );
  return (layer) => {
    if (!tables.rotary || unrotatedLayers.includes(layer)) return undefined;
    return make((localLayers.includes(layer) && tables.localRotary) || tables.rotary);
  };
}

/**
 * Runs one block alone, for weights that are at hand one layer at a time.
 * @param x `[batch, time, modelWidth]`: embeddings with positions, or what the block before gave
 * @param state that of this layer: `layers` has one entry
 * @param layer which of the model's layers it is, counted from 0
 */
export function runLayer(
  config: TransformerConfig,
  tables: DecoderTables,
  parameters: BlockParameters,
  x: tf.Tensor3D,
  state: TransformerState,
  layer: number,
): { x: tf.Tensor3D; state: TransformerState } {
  const [batch, time, width] = x.shape;
  const rows: Rows = { batch, time, embeddings: x };
  checkState({ ...config, layers: 1 }, state, batch);
  const places = placeRows(config, rows, {}, state);
  const angles = layerAngles(config, tables, places, time)(layer);
  const alone = { ...config, localLayers: config.localLayers.includes(layer) ? [0] : [] };
  const plan = cachePlans(alone, rows, places, state, undefined)(0);
  const result = blockForward(parameters, tf.reshape(x, [batch * time, width]), {
    config,
    batch,
    time,
    cache: state.layers[0]!,
    plan,
    angles,
    observedQueries: 0,
  });
  return {
    x: tf.reshape(result.rows, x.shape) as tf.Tensor3D,
    state: {
      position: places.next,
      positions: state.positions && plan.positions,
      layers: [result.cache],
    },
  };
}

/** The plans of all layers: one for all that are alike, or one for each when layers keep their own positions. */
export function cachePlans(
  config: TransformerConfig,
  rows: Rows,
  places: Places,
  state: TransformerState,
  prefix: readonly KeyValuePrefix[] | undefined,
  placement: Placement = 'window',
): (layer: number) => SlotPlan {
  const isEmpty = isMarkedEmpty(state);
  const heads = config.evictable ? config.keyValueHeads : 1;
  checkPlacement(config, placement, rows.time);
  const reachOf = (layer: number) =>
    config.localLayers.includes(layer) ? config.localWindow : Number.POSITIVE_INFINITY;
  const make = (layer: number): SlotPlan => {
    const cached = state.positions ?? state.layers[layer]!.positions;
    const before = isEmpty ? undefined : cached;
    // The slots of an evictable layer are those of its own arrays.
    const sized =
      before && config.evictable ? { ...config, capacity: before.shape[2]! - config.sinks } : config;
    const plan =
      placement !== 'window'
        ? planInOrder(placement, places.visible, before, heads, reachOf(layer))
        : places.fromStart && !rows.mask
          ? planFirstTokens(config, rows.batch, rows.time, heads, reachOf(layer))
          : planTokens(sized, places.visible, places.positions, before, heads, reachOf(layer));
    return prefix ? behindPrefix(plan, prefix[layer]!.keys.shape[2]!) : plan;
  };
  const planOf = memoised(make);
  if (config.evictable && !isEmpty) return planOf;
  const firstLocal = config.localLayers[0] ?? 0;
  const firstOther = Math.max(
    state.layers.findIndex((_, layer) => !config.localLayers.includes(layer)),
    0,
  );
  return (layer) => planOf(config.localLayers.includes(layer) ? firstLocal : firstOther);
}

function memoised<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/** The columns of a prefix are seen by all. */
function behindPrefix(plan: SlotPlan, count: number): SlotPlan {
  const [batch, heads, time] = plan.mask.shape as [number, number, number];
  return { ...plan, mask: tf.concat([tf.zeros([batch, heads, time, count]), plan.mask], 3) };
}

function dropoutAt(config: TransformerConfig, { training, dropoutKey }: DecoderOptions) {
  if (!training || !dropoutKey || config.dropout === 0) return undefined;
  return (x: tf.Tensor, site: number) =>
    dropout(x, config.dropout, tf.add(dropoutKey, tf.tensor1d([0, site + 1], 'int32')));
}

function readOut(
  config: TransformerConfig,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  x: tf.Tensor,
  { batch, time }: Rows,
  { logits = 'all', hidden = false }: DecoderOptions,
): { final: tf.Tensor; logits?: tf.Tensor3D } {
  const lastOnly = logits === 'last' && time > 1;
  const places = typeof logits === 'string' ? undefined : checkedPlaces(logits);
  const last = (value: tf.Tensor) =>
    tf.reshape(
      tf.slice(
        tf.reshape(value, [batch, time, config.modelWidth]),
        [0, time - 1, 0],
        [batch, 1, config.modelWidth],
      ),
      [batch, config.modelWidth],
    );
  if (logits === 'none' && !hidden) return { final: x };
  const chosen = (value: tf.Tensor) => {
    if (places) return tf.gather(value, places);
    return lastOnly ? last(value) : value;
  };
  const final = normalise(hidden ? x : chosen(x), parameters.norm, config);
  if (logits === 'none') return { final };
  const read = hidden ? chosen(final) : final;
  const head = parameters.head?.weight ?? parameters.tokenEmbedding;
  const shape: [number, number, number] = places
    ? [1, places.size, config.vocabSize]
    : [batch, lastOnly ? 1 : time, config.vocabSize];
  return {
    final,
    logits: tf.reshape(matrixLinear(read, head), shape) as tf.Tensor3D,
  };
}

/** @throws InputError for what is no list of positions. */
function checkedPlaces(places: tf.Tensor1D): tf.Tensor1D {
  if (places.rank === 1 && places.dtype === 'int32' && places.size > 0) return places;
  throw new InputError(
    `The positions whose logits are wanted are int32 [count], at least one, but got ${places.dtype} ${formatShape(places.shape)}.`,
  );
}
