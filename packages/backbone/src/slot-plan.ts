import { MASKED, tf, writeRows } from '@palimpsest/tensor-core';
import { type Appended, append, appendFirst } from './append.js';
import { inOrder } from './cache.js';
import type { TransformerConfig } from './config.js';

/** What one call does to the cache of a layer, decided once for keys, values and positions. */
export interface SlotPlan {
  /** Additive, broadcasts to `[batch, keyValueHeads, time, visible rows]`. */
  readonly mask: tf.Tensor;
  /** Positions after the call, int32 `[batch, 1 or keyValueHeads, slots]`. */
  readonly positions: tf.Tensor;
  /** Appends keys or values `[batch, keyValueHeads, time, headWidth]`. */
  append(cached: tf.Tensor, fresh: tf.Tensor): Appended;
  /** How a single query sees the cache as it was, and its own row beside it, so that nothing is copied before it is read. */
  readonly beside?: {
    /** Additive, broadcasts to `[batch, keyValueHeads, 1, slots + 1]`; the last column is the query's own. */
    readonly mask: tf.Tensor;
    /** 1 at the slot that the query's own row takes, `[batch, 1 or keyValueHeads, 1, slots]`. */
    readonly ownSlot: tf.Tensor;
    /** The cache after the call. */
    write(cached: tf.Tensor, fresh: tf.Tensor): tf.Tensor;
  };
}

/** A query sees its own column and the capacity − 1 before it; columns end with the queries' own. */
function bandAt(queries: number, columns: number, capacity: number) {
  const offset = columns - queries;
  return (query: number, column: number) => column <= offset + query && column > offset + query - capacity;
}

export function hostMask(queries: number, columns: number, sees: (query: number, column: number) => boolean) {
  const values = new Float32Array(queries * columns);
  for (let query = 0; query < queries; query++) {
    for (let column = 0; column < columns; column++) {
      if (!sees(query, column)) values[query * columns + column] = MASKED;
    }
  }
  return tf.tensor4d(values, [1, 1, queries, columns]);
}

/**
 * The plan for the first tokens of texts without padding: everything is known on the host.
 * @param reach newest tokens that a query sees, its own included; all that are cached when it is infinite
 */
export function planFirstTokens(
  config: TransformerConfig,
  batch: number,
  time: number,
  heads: number,
  reach = Number.POSITIVE_INFINITY,
): SlotPlan {
  const inBand = bandAt(time, time, config.capacity);
  const sees = (query: number, column: number) =>
    column > query - reach && (inBand(query, column) || (column < config.sinks && column <= query));
  const own = tf.broadcastTo(tf.reshape(tf.range(0, time, 1, 'int32'), [1, 1, time]), [batch, heads, time]);
  return {
    mask: hostMask(time, time, sees),
    positions: appendFirst(own, config, -1).next,
    append: (_cached, fresh) => appendFirst(fresh, config),
  };
}

/** Sinks after a call: those among the new rows are put at the slots of their positions. */
interface SinkUpdate {
  /** float32 `[batch, 1, sinks, time]`: 1 where the new row is this sink. */
  readonly chosen: tf.Tensor;
  /** float32 `[batch, 1, sinks, 1]`: 1 where a new row is this sink. */
  readonly written: tf.Tensor;
}

function findSinks(fresh: tf.Tensor, sinks: number): SinkUpdate {
  const [batch, time] = fresh.shape as [number, number];
  const slot = tf.reshape(tf.range(0, sinks, 1, 'int32'), [1, 1, sinks, 1]);
  const chosen = tf.cast(tf.equal(tf.reshape(fresh, [batch, 1, 1, time]), slot), 'float32');
  return { chosen, written: tf.sum(chosen, 3, true) };
}

/** @param cached `[batch, heads, slots, width]`, or nothing */
function updateSinks(
  cached: tf.Tensor | undefined,
  fresh: tf.Tensor,
  sinks: number,
  found: SinkUpdate,
): tf.Tensor {
  const [batch, heads, , width] = fresh.shape as [number, number, number, number];
  const time = fresh.shape[2]!;
  const chosen = tf.broadcastTo(found.chosen, [batch, heads, sinks, time]);
  const added = tf.matMul(chosen, fresh);
  if (!cached) return added;
  const former = tf.slice(cached, [0, 0, 0, 0], [batch, heads, sinks, width]);
  return tf.add(tf.mul(former, tf.sub(1, found.written)), added);
}

/**
 * The plan for one token behind any cache: it takes the slot of the window that is empty or has the oldest entry, and a
 * sink takes its own slot. Nothing moves, so that the cache can be written in place.
 * @param fresh int32 `[batch, 1]`: its position, −1 for padding
 * @param cached positions in the cache, `[batch, 1 or keyValueHeads, slots]`
 */
function planOneToken(
  { sinks, capacity }: TransformerConfig,
  fresh: tf.Tensor,
  cached: tf.Tensor,
  reach: number,
): SlotPlan {
  const [batch, heads] = cached.shape as [number, number, number];
  const window = tf.slice(cached, [0, 0, sinks], [batch, heads, capacity]);
  const oldest = tf.add(tf.argMin(window, 2), tf.scalar(sinks, 'int32'));
  const zero = tf.scalar(0, 'int32');
  const isSink = tf.logicalAnd(tf.greaterEqual(fresh, zero), tf.less(fresh, tf.scalar(sinks, 'int32')));
  const every = (x: tf.Tensor) => tf.broadcastTo(x, [batch, heads]);
  return planAtSlot(sinks > 0 ? tf.where(every(isSink), every(fresh), oldest) : oldest, fresh, cached, reach);
}

/**
 * The plan for one token that takes a given slot.
 * @param slot int32 `[batch, 1 or keyValueHeads]`
 * @param fresh int32 `[batch, 1]`: its position, −1 for padding
 * @param cached positions in the cache, `[batch, 1 or keyValueHeads, slots]`
 * @param reach newest tokens that a query sees, its own included; all that are cached when it is infinite
 */
export function planAtSlot(
  slot: tf.Tensor,
  fresh: tf.Tensor,
  cached: tf.Tensor,
  reach = Number.POSITIVE_INFINITY,
): SlotPlan {
  const [batch, heads, slots] = cached.shape as [number, number, number];
  const zero = tf.scalar(0, 'int32');
  const every = (x: tf.Tensor) => tf.broadcastTo(x, [batch, heads]);
  const place = tf.reshape(slot, [batch, heads, 1]);
  const positions = writeRows(cached, tf.reshape(every(fresh), [batch, heads, 1]), place);
  const blocked = (isHidden: tf.Tensor) =>
    tf.mul(tf.reshape(tf.cast(isHidden, 'float32'), [batch, heads, 1, isHidden.shape[2]!]), MASKED);
  const isPlace = tf.equal(tf.reshape(tf.range(0, slots, 1, 'int32'), [1, 1, slots]), place);
  const hidden = (held: tf.Tensor) =>
    Number.isFinite(reach)
      ? tf.logicalOr(tf.less(held, zero), tf.lessEqual(held, behindReach(fresh, reach, [batch, 1, 1])))
      : tf.less(held, zero);
  const old = tf.logicalOr(hidden(cached), isPlace);
  const own = tf.reshape(every(tf.less(fresh, zero)), [batch, heads, 1]);
  const write = (before: tf.Tensor, rows: tf.Tensor) =>
    writeRows(before, rows, tf.broadcastTo(place, [batch, rows.shape[1]!, 1]));
  return {
    mask: blocked(hidden(positions)),
    positions,
    append: (before, rows) => {
      const written = write(before, rows);
      return { visible: written, next: written };
    },
    beside: {
      mask: blocked(tf.concat([old, own], 2)),
      ownSlot: tf.reshape(tf.cast(isPlace, 'float32'), [batch, heads, 1, slots]),
      write,
    },
  };
}

/** The newest position that a query's reach has left behind. */
const behindReach = (queries: tf.Tensor, reach: number, shape: number[]): tf.Tensor =>
  tf.sub(tf.reshape(queries, shape), tf.scalar(reach, 'int32'));

/**
 * The plan for tokens behind any cache, or with padding.
 * @param fresh int32 `[batch, time]`: positions of the new rows, −1 for padding
 * @param queries int32 `[batch, time]`: positions of the queries
 * @param before positions in the cache, `[batch, 1 or keyValueHeads, slots]`, or nothing when it is known to be empty
 * @param reach newest tokens that a query sees, its own included; all that are cached when it is infinite
 */
export function planTokens(
  config: TransformerConfig,
  fresh: tf.Tensor,
  queries: tf.Tensor,
  before: tf.Tensor | undefined,
  heads: number,
  reach = Number.POSITIVE_INFINITY,
): SlotPlan {
  if (before && fresh.shape[1] === 1) return planOneToken(config, fresh, before, reach);
  const former = before && inOrder(before, config.sinks);
  const cached = former?.rows(before!);
  const [batch, time] = fresh.shape as [number, number];
  const { sinks } = config;
  const found = sinks > 0 ? findSinks(fresh, sinks) : undefined;
  const none = tf.scalar(-1, 'int32');
  // A sink has a slot of its own, so its row in the window is empty.
  const own =
    sinks > 0
      ? tf.where(tf.less(fresh, tf.scalar(sinks, 'int32')), tf.fill([batch, time], -1, 'int32'), fresh)
      : fresh;
  const ownRows = tf.broadcastTo(tf.reshape(own, [batch, 1, time]), [batch, heads, time]);
  const sinkPositions = found && sinkPositionsAfter(cached, found, batch, heads, sinks);
  const { visible, next } = append(cached, ownRows, sinkPositions, config, -1);
  const columns = visible.shape[2]! - sinks;
  const valid = tf.reshape(tf.greater(visible, none), [batch, heads, 1, sinks + columns]);
  const blocked = tf.mul(tf.sub(1, tf.cast(valid, 'float32')), MASKED);
  const masks = [orderMask(config, queries, visible, columns), reachMask(queries, visible, reach)];
  return {
    mask: masks.reduce<tf.Tensor>((mask, more) => (more ? tf.minimum(mask, more) : mask), blocked),
    positions: next,
    append: (rowsBefore, rows) => {
      const old = former?.rows(rowsBefore);
      return append(old, rows, found && updateSinks(old, rows, sinks, found), config);
    },
  };
}

function sinkPositionsAfter(
  cached: tf.Tensor | undefined,
  { written }: SinkUpdate,
  batch: number,
  heads: number,
  sinks: number,
): tf.Tensor {
  const isWritten = tf.broadcastTo(tf.reshape(tf.cast(written, 'bool'), [batch, 1, sinks]), [
    batch,
    heads,
    sinks,
  ]);
  const slot = tf.broadcastTo(tf.reshape(tf.range(0, sinks, 1, 'int32'), [1, 1, sinks]), [
    batch,
    heads,
    sinks,
  ]);
  const former = cached
    ? tf.slice(cached, [0, 0, 0], [batch, heads, sinks])
    : tf.fill([batch, heads, sinks], -1, 'int32');
  return tf.where(isWritten, slot, former);
}

/** Hides what comes after a query, and what its window has left behind; nothing to hide for one query. */
function orderMask(
  config: TransformerConfig,
  queries: tf.Tensor,
  visible: tf.Tensor,
  columns: number,
): tf.Tensor | undefined {
  const [batch, time] = queries.shape as [number, number];
  if (time === 1) return undefined;
  const band = hostMask(time, columns, bandAt(time, columns, config.capacity));
  if (config.sinks === 0) return band;
  const heads = visible.shape[1]!;
  const sinks = tf.reshape(tf.slice(visible, [0, 0, 0], [batch, heads, config.sinks]), [
    batch,
    heads,
    1,
    config.sinks,
  ]);
  const later = tf.greater(sinks, tf.reshape(queries, [batch, 1, time, 1]));
  const sinkMask = tf.mul(tf.cast(later, 'float32'), MASKED);
  return tf.concat([sinkMask, tf.broadcastTo(band, [batch, heads, time, columns])], 3);
}

/** Hides what is further behind a query than it reaches; nothing when it reaches everything. */
export function reachMask(queries: tf.Tensor, visible: tf.Tensor, reach: number): tf.Tensor | undefined {
  if (!Number.isFinite(reach)) return undefined;
  const [batch, time] = queries.shape as [number, number];
  const [, heads, columns] = visible.shape as [number, number, number];
  const held = tf.reshape(visible, [batch, heads, 1, columns]);
  const isBehind = tf.lessEqual(held, behindReach(queries, reach, [batch, 1, time, 1]));
  return tf.mul(tf.cast(isBehind, 'float32'), MASKED);
}
