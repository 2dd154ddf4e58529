import { conditional, MASKED, tf } from '@palimpsest/tensor-core';
import { runCell } from '../cell.js';
import { embedIds } from '../embedding.js';
import { finishLayer, updateState } from '../layer.js';
import { splitLayers } from '../layer-stack.js';
import type { MemoryKeys } from '../memory/keys.js';
import type { Frame } from '../memory/pass-context.js';
import type { OmParams } from '../parameters.js';
import { contextIds } from '../plan.js';
import { layoutMask, layoutRows } from '../segment.js';
import type { Setup } from '../setup.js';
import { beginSegment, combineKeys, mapKeys, type OmState, openKeys, swapLeading } from './state.js';

/** What a piece of text gives, and where it leaves the memory. */
interface Piece {
  /** Output of the last layer, `[batch, m, d·m]`. */
  readonly output: tf.Tensor;
  readonly position: tf.Tensor;
  readonly states: tf.Tensor;
  readonly keys: MemoryKeys;
  readonly ids: tf.Tensor;
}

const int = (value: number) => tf.scalar(value, 'int32');
const float = (x: tf.Tensor) => tf.cast(x, 'float32');
const counting = (count: number) => tf.range(0, count, 1, 'int32');

/**
 * Up to segmentLen tokens from any position, each text of the batch from its own, as token after token would. What stands
 * behind a segment border reads the states that the completed segment leaves, in a second pass that runs only when some
 * text crosses one.
 * @param x embeddings of the tokens, `[batch, m, d]`
 * @param tokens int32 `[batch, m]`
 */
export function advancePiece(
  setup: Setup,
  params: OmParams,
  x: tf.Tensor,
  tokens: tf.Tensor,
  state: Omit<OmState, 'context'>,
): Piece {
  const N = setup.config.segmentLen;
  const m = x.shape[1]!;
  const end = tf.add(state.position, int(m));
  const earlier = mapKeys(state.keys!, swapLeading);
  const before = extendSegment(setup, params, x, earlier, state.position, tf.scalar(0, 'int32'));
  const written = writeKeys(setup, mapKeys(earlier, swapLeading), before.keys, state.position, 0);
  const ids = placeIds(setup, state.ids, tokens, state.position);
  const stays: Piece = { output: before.output, position: end, states: state.states, keys: written, ids };
  const isFull = tf.greaterEqual(end, int(N));
  return conditional(
    tf.any(isFull),
    () => crossBorder(setup, params, x, tokens, state, stays, isFull),
    () => stays,
  );
}

/** The border, for the texts that reach it; the others stay as they are. */
function crossBorder(
  setup: Setup,
  params: OmParams,
  x: tf.Tensor,
  tokens: tf.Tensor,
  state: Omit<OmState, 'context'>,
  stays: Piece,
  isFull: tf.Tensor,
): Piece {
  const { segmentLen: N } = setup.config;
  const [batch, m] = x.shape as [number, number];
  const left = endSegment(setup, params, swapLeading(state.states), mapKeys(stays.keys, swapLeading));
  const read = beginSegment(setup, params, left);
  const opened = mapKeys(openKeys(setup.config, read), swapLeading);
  const choose = (yes: tf.Tensor, no: tf.Tensor) =>
    tf.where(tf.reshape(isFull, [batch, ...new Array<number>(no.rank - 1).fill(1)]), yes, no);
  const position = tf.where(isFull, tf.sub(stays.position, int(N)), stays.position);
  const states = choose(swapLeading(left), state.states);
  const opening = openIds(setup, stays.ids);
  if (m === 1) {
    return {
      output: stays.output,
      position,
      states,
      keys: combineKeys([opened, stays.keys], ([a, b]) => choose(a!, b!)),
      ids: choose(opening, stays.ids),
    };
  }
  const after = extendSegment(setup, params, x, read, state.position, int(N));
  const written = writeKeys(setup, opened, after.keys, state.position, N);
  const isAfter = tf.greaterEqual(tf.add(tf.expandDims(state.position, 1), counting(m)), int(N));
  return {
    output: tf.where(tf.expandDims(isAfter, 2), after.output, stays.output),
    position,
    states,
    keys: combineKeys([written, stays.keys], ([a, b]) => choose(a!, b!)),
    ids: choose(placeIds(setup, opening, tokens, tf.sub(state.position, int(N))), stays.ids),
  };
}

/** Ids of the open segment with new ones from `position` on; those that fall before or behind it are in no column. */
function placeIds({ config }: Setup, ids: tf.Tensor, tokens: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const g = contextIds(config);
  const m = tokens.shape[1]!;
  const columns = tf.sub(counting(g + config.segmentLen), int(g));
  const place = tf.add(tf.expandDims(position, 1), tf.expandDims(counting(m), 0));
  const isThere = tf.logicalAnd(
    tf.equal(tf.expandDims(place, 2), tf.reshape(columns, [1, 1, -1])),
    tf.greaterEqual(tf.reshape(columns, [1, 1, -1]), int(0)),
  );
  const goes = tf.cast(isThere, 'int32');
  const moved = tf.sum(tf.mul(goes, tf.expandDims(tokens, 2)), 1);
  return tf.add(tf.mul(ids, tf.sub(int(1), tf.sum(goes, 1))), moved);
}

/** Ids of a segment that opens behind a full one: its last g stand in front. */
function openIds({ config }: Setup, ids: tf.Tensor): tf.Tensor {
  const g = contextIds(config);
  const { segmentLen: N, padId } = config;
  const room = tf.fill([ids.shape[0]!, N], padId, 'int32');
  return g === 0 ? room : tf.concat([tf.slice(ids, [0, N], [-1, g]), room], 1);
}

/**
 * The keys of open segments, from their ids and the states before them.
 * @param ids int32 `[batch, g + segmentLen]`, of which those from a text's position on are anything
 * @param states `[batch, L, S, d]`
 */
export function keysOfOpen(setup: Setup, params: OmParams, ids: tf.Tensor, states: tf.Tensor): MemoryKeys {
  const position = tf.zeros([ids.shape[0]!], 'int32');
  const read = beginSegment(setup, params, swapLeading(states));
  const x = embedIds(setup.config, params, ids);
  const { keys } = extendSegment(setup, params, x, read, position, int(0));
  return writeKeys(setup, mapKeys(openKeys(setup.config, read), swapLeading), keys, position, 0);
}

/**
 * Token rows of one segment through all layers, on the keys of what stands before them. Rows that belong to the other side
 * of the border give anything.
 * @param earlier `[L·H, batch, columns, width]`: S read rows, and room for the tokens or none
 * @param position of the first row in the segment before the border, int32 [batch]
 * @param border 0 for the segment before the border, segmentLen for the one behind it
 */
function extendSegment(
  setup: Setup,
  params: OmParams,
  x: tf.Tensor,
  earlier: MemoryKeys,
  position: tf.Tensor,
  border: tf.Tensor,
): { output: tf.Tensor; keys: MemoryKeys } {
  const { numLayers: L } = setup.config;
  const frame = tokenFrame(setup, x.shape[1]!, earlier[0]![0]!.key.shape[2]!, position, border);
  const layerKeys = mapToLayers(earlier, L);
  let rows = tf.expandDims(x, 0);
  const fresh: MemoryKeys[] = [];
  for (const [layer, stack] of splitLayers(params).entries()) {
    const places = [{ layer, segment: 0 }];
    const { output, keys } = runCell(
      setup,
      stack.params,
      [{ region: 'token', rows }],
      { ...frame, places },
      layerKeys[layer]!,
    );
    rows = finishLayer(setup, stack.params, stack.part, rows, output!, places);
    fresh.push(keys);
  }
  const keys = combineKeys(fresh, (tensors) => (tensors.length === 1 ? tensors[0]! : tf.concat(tensors, 0)));
  return { output: tf.squeeze(rows, [0]), keys };
}

/** Keys of all layers, layer by layer. */
function mapToLayers(keys: MemoryKeys, L: number): MemoryKeys[] {
  const pieces = keys.map((stages) =>
    stages.map((stage) => {
      const split = (x: tf.Tensor) => (L === 1 ? [x] : tf.split(x, L, 0));
      const [key, value, plain] = [split(stage.key), split(stage.value), stage.plain && split(stage.plain)];
      return Array.from({ length: L }, (_, l) => ({
        key: key[l]!,
        value: value[l]!,
        plain: plain && plain[l]!,
      }));
    }),
  );
  return Array.from({ length: L }, (_, l) => pieces.map((stages) => stages.map((stage) => stage[l]!)));
}

/** Where token rows stand and what they see: earlier columns up to the position, then each other. */
function tokenFrame(
  setup: Setup,
  m: number,
  columns: number,
  position: tf.Tensor,
  border: tf.Tensor,
): Omit<Frame, 'places'> {
  const { stateLen: S, segmentLen: N, cope } = setup.config;
  // In the segment at hand: negative, or beyond its end, on the other side.
  const start = tf.sub(tf.expandDims(position, 1), border);
  const place = tf.add(start, tf.expandDims(counting(m), 0));
  const isInside = tf.logicalAnd(tf.greaterEqual(place, int(0)), tf.less(place, int(N)));
  const known = tf.reshape(counting(columns), [1, 1, columns]);
  const seesEarlier = tf.less(known, tf.add(tf.maximum(tf.expandDims(start, 2), int(0)), int(S)));
  const order = counting(m);
  const notLater = tf.lessEqual(tf.expandDims(order, 0), tf.expandDims(order, 1));
  const seesFresh = tf.logicalAnd(tf.expandDims(isInside, 1), tf.expandDims(notLater, 0));
  const counted = tf.concat([tf.tile(float(seesEarlier), [1, m, 1]), float(seesFresh)], 2);
  return {
    rows: tf.add(tf.minimum(tf.maximum(place, int(0)), int(N - 1)), int(S)),
    mask: tf.mul(tf.sub(1, counted), MASKED),
    counted: cope ? counted : undefined,
  };
}

/**
 * Write rows of a full segment through all layers at once: they depend on the layers' keys alone.
 * @param states before it, `[L, batch, S, d]`
 * @param keys `[L·H, batch, S + segmentLen, width]`
 * @returns the states that it leaves, `[L, batch, S, d]`
 */
function endSegment(setup: Setup, params: OmParams, states: tf.Tensor, keys: MemoryKeys): tf.Tensor {
  const { stateLen: S, segmentLen: N, numLayers } = setup.config;
  const places = Array.from({ length: numLayers }, (_, layer) => ({ layer, segment: 0 }));
  const { written } = runCell(
    setup,
    params.layers,
    [{ region: 'write', rows: states }],
    { places, rows: layoutRows(setup, N, 'write', 'write'), ...layoutMask(setup, S, 2 * S + N) },
    keys,
  );
  return updateState(setup, params.layers, states, written!);
}

/**
 * The keys of an open segment with those of new tokens in their places.
 * @param keys `[batch, L·H, S + N, width]`
 * @param fresh `[L·H, batch, m, width]`
 * @param border 0, or N for the segment behind it
 */
function writeKeys(
  setup: Setup,
  keys: MemoryKeys,
  fresh: MemoryKeys,
  position: tf.Tensor,
  border: number,
): MemoryKeys {
  const { stateLen: S, segmentLen: N } = setup.config;
  const m = fresh[0]![0]!.key.shape[2]!;
  const place = tf.add(tf.expandDims(tf.sub(position, int(border)), 1), tf.expandDims(counting(m), 0));
  const columns = tf.reshape(counting(S + N), [1, S + N, 1]);
  // Tokens on the other side of the border would fall on read rows or beyond the end: they are in no column.
  const isToken = tf.greaterEqual(columns, int(S));
  const goes = tf.logicalAnd(tf.equal(columns, tf.add(tf.expandDims(place, 1), int(S))), isToken);
  const placed = tf.expandDims(float(goes), 1);
  const kept = tf.sub(1, tf.sum(placed, 3, true));
  return combineKeys([keys, fresh], ([old, rows]) => {
    const own = swapLeading(rows!);
    const moved = m === 1 ? tf.mul(placed, own) : tf.matMul(placed, own);
    return tf.add(tf.mul(old!, kept), moved);
  });
}
