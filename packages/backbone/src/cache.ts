import { full, type NDArray, readRows, tf, zeros } from '@palimpsest/tensor-core';
import type { TransformerConfig } from './config.js';

/**
 * Keys and values of one layer. Slots: first the sinks, then the window in any order, which its positions tell: a single
 * token takes the slot of the oldest entry, so that nothing has to move. Keys are stored after rotation, so an entry
 * keeps its original position wherever it is.
 */
export type LayerCache<T = tf.Tensor> = {
  /** `[batch, keyValueHeads, slots, headWidth]` */
  readonly keys: T;
  /** `[batch, keyValueHeads, slots, headWidth]` */
  readonly values: T;
  /** int32 `[batch, keyValueHeads, slots]`, of evictable caches: see `TransformerState.positions`. */
  readonly positions?: T | undefined;
};

/** A layer whose heads keep positions of their own. */
export type EvictableLayer = LayerCache & { readonly positions: tf.Tensor };

/** The memory of a decoder: a key/value cache of fixed capacity. */
export type TransformerState<T = tf.Tensor> = {
  /** int32 `[batch]`: position of the next token. */
  readonly position: T;
  /**
   * int32 `[batch, 1, slots]`: original position of the entry in each slot, −1 where there is none to see. Evictable
   * caches have it per layer and head instead.
   */
  readonly positions?: T | undefined;
  readonly layers: readonly LayerCache<T>[];
};

/** Slots of every layer: the sinks and the window. */
export const slotsOf = (config: TransformerConfig): number => config.sinks + config.capacity;

/** Bytes of the keys and values of one token in all layers. */
export const cacheBytesPerToken = ({ layers, keyValueHeads, headWidth }: TransformerConfig): number =>
  4 * 2 * layers * keyValueHeads * headWidth;

/** The memory before the first token, on the host. */
export function emptyState(config: TransformerConfig, batch: number): TransformerState<NDArray> {
  const { keyValueHeads, headWidth, layers, evictable } = config;
  const slots = slotsOf(config);
  const none = (heads: number) => full([batch, heads, slots], -1, 'int32');
  const rows = () => zeros([batch, keyValueHeads, slots, headWidth]);
  return {
    position: zeros([batch], 'int32'),
    positions: evictable ? undefined : none(1),
    layers: Array.from({ length: layers }, () => ({
      keys: rows(),
      values: rows(),
      positions: evictable ? none(keyValueHeads) : undefined,
    })),
  };
}

const untouched = new WeakSet<object>();

/** What makes a state an empty one: it begins at position 0 and no slot has an entry. */
const marksOf = (state: TransformerState): object[] =>
  [state.position, state.positions, ...state.layers.map(({ positions }) => positions)].flatMap((tensor) =>
    tensor ? [tensor.dataId] : [],
  );

/**
 * Remembers that a state is that of `emptyState`. `forward` then leaves the empty slots out of its attention, which
 * changes no result. The mark stays with the data through clones and `stopGradient`.
 */
export function markEmpty(state: TransformerState): TransformerState {
  for (const data of marksOf(state)) untouched.add(data);
  return state;
}

export const isMarkedEmpty = (state: TransformerState): boolean =>
  marksOf(state).every((data) => untouched.has(data));

/** Which entries of a layer can be seen: bool `[batch, 1 or keyValueHeads, slots]`. */
export function validity(state: TransformerState, layer: number): tf.Tensor {
  return tf.greaterEqual(positionsOf(state, layer), tf.scalar(0, 'int32'));
}

/** Original positions of a layer's entries, −1 for none: int32 `[batch, 1 or keyValueHeads, slots]`. */
export function positionsOf(state: TransformerState, layer: number): tf.Tensor {
  return (state.positions ?? state.layers[layer]!.positions)!;
}

/**
 * Takes entries of one layer out of sight: their slots become empty, all others stay where they are. A token that is
 * evicted is from then on as if it were masked.
 * @param cache a layer of an evictable cache
 * @param keep bool or 0/1, `[batch, keyValueHeads, slots]`
 */
export function evict(cache: EvictableLayer, keep: tf.Tensor): LayerCache {
  const hidden = tf.fill(cache.positions.shape, -1, 'int32');
  return { ...cache, positions: tf.where(tf.cast(keep, 'bool'), cache.positions, hidden) };
}

/**
 * Moves the entries that are left to the last slots, oldest first, and the empty slots before them.
 * @param cache a layer of an evictable cache without sinks
 */
export function compact(cache: EvictableLayer): LayerCache {
  const sorted = inOrder(cache.positions, 0);
  return {
    keys: sorted.rows(cache.keys),
    values: sorted.rows(cache.values),
    positions: sorted.rows(cache.positions),
  };
}

/**
 * The entries of chosen slots, in arrays of their own: what the others took is free.
 * @param cache a layer of an evictable cache
 * @param slots int32 `[batch, keyValueHeads, count]`, −1 for a slot that stays empty, with zeros in it
 */
export function gatherEntries(cache: EvictableLayer, slots: tf.Tensor): EvictableLayer {
  const zero = tf.scalar(0, 'int32');
  const sources = tf.maximum(slots, zero);
  const isTaken = tf.greaterEqual(slots, zero);
  const taken = tf.expandDims(tf.cast(isTaken, 'float32'), 3);
  return {
    keys: tf.mul(readRows(cache.keys, sources), taken),
    values: tf.mul(readRows(cache.values, sources), taken),
    positions: tf.where(isTaken, readRows(cache.positions, sources), tf.fill(slots.shape, -1, 'int32')),
  };
}

/** Adds empty slots behind the others. */
export function withRoom(cache: EvictableLayer, slots: number): EvictableLayer {
  const more = (x: tf.Tensor, value: number) =>
    tf.pad(
      x,
      x.shape.map((_, axis): [number, number] => [0, axis === 2 ? slots : 0]),
      value,
    );
  return { keys: more(cache.keys, 0), values: more(cache.values, 0), positions: more(cache.positions, -1) };
}

/** Takes the last slots away. */
export function withoutRoom(cache: EvictableLayer, slots: number): EvictableLayer {
  const fewer = (x: tf.Tensor) =>
    tf.slice(
      x,
      x.shape.map(() => 0),
      x.shape.map((extent, axis) => (axis === 2 ? extent - slots : extent)),
    );
  return { keys: fewer(cache.keys), values: fewer(cache.values), positions: fewer(cache.positions) };
}

/** A window brought into order: empty slots first, then the entries by their positions. */
export interface Order {
  /** Rows of all slots, `[batch, heads, slots, ...]`, with those of the window in order. */
  rows(cached: tf.Tensor): tf.Tensor;
}

/** @param positions int32 `[batch, 1 or heads, slots]` */
export function inOrder(positions: tf.Tensor, sinks: number): Order {
  const [batch, heads, slots] = positions.shape as [number, number, number];
  const window = tf.slice(positions, [0, 0, sinks], [batch, heads, slots - sinks]);
  const { indices } = tf.topk(tf.neg(window), slots - sinks, true);
  const moved = tf.add(indices as tf.Tensor, tf.scalar(sinks, 'int32'));
  const first = tf.broadcastTo(tf.reshape(tf.range(0, sinks, 1, 'int32'), [1, 1, sinks]), [
    batch,
    heads,
    sinks,
  ]);
  const sources = sinks > 0 ? tf.concat([first, moved], 2) : moved;
  return {
    rows: (cached) => readRows(cached, tf.broadcastTo(sources, [batch, cached.shape[1]!, slots])),
  };
}
