import { stopGradient, tf } from '@palimpsest/tensor-core';
import { runCell } from '../cell.js';
import type { OmConfig } from '../config.js';
import { type Keys, keysOfStages, type MemoryKeys } from '../memory/keys.js';
import type { OmParams } from '../parameters.js';
import { contextIds, isCausal } from '../plan.js';
import { layoutMask, layoutRows } from '../segment.js';
import type { Setup } from '../setup.js';

/** Memory of a batch of texts, of the same size however long they are. The batch is the first axis of everything. */
export interface OmState {
  /** Tokens of the open segment, int32 [batch], below segmentLen. */
  readonly position: tf.Tensor;
  /** The last g ids, int32 [batch, g]; absent without n-grams, and where tokens see what follows them. */
  readonly context?: tf.Tensor | undefined;
  /** States at the last segment border, [batch, L, S, d]. */
  readonly states: tf.Tensor;
  /**
   * What the rows of the open segment left in every attention, [batch, L·H, S + segmentLen, width]: read rows, then tokens;
   * rows from the position on hold anything. Absent where tokens see what follows them: the segment is computed anew.
   */
  readonly keys?: MemoryKeys | undefined;
  /** Ids of the open segment and the g before it, int32 [batch, g + segmentLen]; pad ids from the position on. */
  readonly ids: tf.Tensor;
}

/** `[L·H, batch, rows, w]` to `[batch, L·H, rows, w]` and back. */
export function swapLeading(x: tf.Tensor): tf.Tensor {
  const [a, b, ...rest] = x.shape as [number, number, number, number];
  if (a === 1 || b === 1) return tf.reshape(x, [b, a, ...rest]);
  return tf.transpose(x, [1, 0, 2, 3]);
}

/** Every tensor of keys, changed. */
export const mapKeys = (keys: MemoryKeys, change: (x: tf.Tensor) => tf.Tensor): MemoryKeys =>
  keys.map((stages) => stages.map((stage) => keysOfStages([stage], ([x]) => change(x!))));

/** Two or more sets of keys, combined tensor by tensor. */
export function combineKeys(
  sets: readonly MemoryKeys[],
  combine: (tensors: tf.Tensor[]) => tf.Tensor,
): MemoryKeys {
  return sets[0]!.map((stages, pass) =>
    stages.map((_stage, index) => keysOfStages(sets.map((set) => set[pass]![index]!) as Keys[], combine)),
  );
}

/**
 * The read rows of a segment through all passes of all layers at once: they depend on the states alone.
 * @param states `[L, batch, S, d]`
 * @returns keys `[L·H, batch, S, width]`
 */
export function beginSegment(setup: Setup, params: OmParams, states: tf.Tensor): MemoryKeys {
  const [L] = states.shape as [number];
  const S = setup.config.stateLen;
  const places = Array.from({ length: L }, (_, layer) => ({ layer, segment: 0 }));
  return runCell(setup, params.layers, [{ region: 'read', rows: states }], {
    places,
    rows: layoutRows(setup, 0, 'read', 'read'),
    ...layoutMask(setup, S, S),
  }).keys;
}

/** Keys of read rows as those of an open segment: room for its tokens behind them. */
export function openKeys({ segmentLen: N }: OmConfig, keys: MemoryKeys): MemoryKeys {
  return mapKeys(keys, (x) => tf.concat([x, tf.zeros([x.shape[0]!, x.shape[1]!, N, x.shape[3]!])], 2));
}

/**
 * The state of texts that stand at a segment border.
 * @param states `[batch, L, S, d]`
 * @param context int32 `[batch, g]`
 */
export function stateAtBorder(
  setup: Setup,
  params: OmParams,
  states: tf.Tensor,
  context: tf.Tensor | undefined,
): OmState {
  const { config } = setup;
  const batch = states.shape[0]!;
  const room = tf.fill([batch, config.segmentLen], config.padId, 'int32');
  const ids = context ? tf.concat([context, room], 1) : room;
  const position = tf.zeros([batch], 'int32');
  if (!isCausal(config)) return { position, states, ids };
  const read = beginSegment(setup, params, swapLeading(stopGradient(states)));
  const keys = mapKeys(openKeys(config, read), swapLeading);
  return { position, context, states, ids, keys };
}

/** The state before the first token: the learned states, and pad ids in front of the text. */
export function initialState(setup: Setup, params: OmParams, batch: number): OmState {
  const { config } = setup;
  const g = contextIds(config);
  const context = (rows: number) => (g > 0 ? tf.fill([rows, g], config.padId, 'int32') : undefined);
  const first = tf.expandDims(params.layers.initState, 0);
  const one = stateAtBorder(setup, params, first, context(1));
  const wide = (x: tf.Tensor) =>
    batch === 1 ? x : tf.tile(x, [batch, ...new Array<number>(x.rank - 1).fill(1)]);
  return {
    position: tf.zeros([batch], 'int32'),
    context: one.context && wide(one.context),
    states: wide(first),
    ids: wide(one.ids),
    keys: one.keys && mapKeys(one.keys, wide),
  };
}
