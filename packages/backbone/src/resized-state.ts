import { type NDArray, ndarray, zeros } from '@palimpsest/tensor-core';
import type { TransformerState } from './cache.js';
import type { CacheOptions, TransformerConfig } from './config.js';

/** The options of a cache that has another number of slots and is else the same. */
export function cacheOfSize({ window, sinks }: TransformerConfig, slots: number): CacheOptions {
  return window > 0 ? { window: slots - sinks, sinks } : { capacity: slots };
}

/**
 * The memory of one text in a cache with another number of slots. Entries stay in their slots where there are such; else they
 * move to the first ones of the window, in the same order.
 * @param state on the host, of a cache that is not evictable
 * @param slots at least as many as it has entries
 */
export function resized(
  config: Pick<TransformerConfig, 'keyValueHeads' | 'headWidth' | 'sinks'>,
  state: TransformerState<NDArray>,
  slots: number,
): TransformerState<NDArray> {
  const held = state.positions!.data as Int32Array;
  return held.length === slots ? state : rearranged(config, state, sourcesOf(held, config.sinks, slots));
}

/**
 * The memory of one text in a cache whose slot is the position; nothing when that cannot be, since a token is missing or there
 * are more than slots.
 * @param state as for `resized`
 */
export function inOrderOfPositions(
  config: Pick<TransformerConfig, 'keyValueHeads' | 'headWidth' | 'sinks'>,
  state: TransformerState<NDArray>,
  slots: number,
): TransformerState<NDArray> | undefined {
  const tokens = state.position.data[0]!;
  const from = new Int32Array(slots).fill(-1);
  (state.positions!.data as Int32Array).forEach((position, slot) => {
    if (position >= 0) from[position] = slot;
  });
  const isWhole = tokens <= slots && from.subarray(0, tokens).every((slot) => slot >= 0);
  return isWhole ? rearranged(config, state, from) : undefined;
}

/** @param from the slot that each new slot's entry comes from, −1 for none */
function rearranged(
  { keyValueHeads: heads, headWidth }: Pick<TransformerConfig, 'keyValueHeads' | 'headWidth'>,
  { position, positions, layers }: TransformerState<NDArray>,
  from: Int32Array,
): TransformerState<NDArray> {
  const held = positions!.data as Int32Array;
  const former = held.length;
  const slots = from.length;
  const moved = new Int32Array(slots).fill(-1);
  from.forEach((source, slot) => {
    if (source >= 0) moved[slot] = held[source]!;
  });
  const runs = runsOf(from);
  const part = ({ data }: NDArray): NDArray => {
    const result = zeros([1, heads, slots, headWidth]);
    for (let head = 0; head < heads; head++) {
      for (const { source, slot, count } of runs) {
        const begin = (head * former + source) * headWidth;
        const rows = (data as Float32Array).subarray(begin, begin + count * headWidth);
        (result.data as Float32Array).set(rows, (head * slots + slot) * headWidth);
      }
    }
    return result;
  };
  return {
    position,
    positions: ndarray(moved, [1, 1, slots], 'int32'),
    layers: layers.map(({ keys, values }) => ({ keys: part(keys), values: part(values) })),
  };
}

/** Neighbouring slots whose entries come from neighbouring ones: a text that goes on moves as a whole. */
export function runsOf(from: Int32Array): readonly { source: number; slot: number; count: number }[] {
  const runs: { source: number; slot: number; count: number }[] = [];
  from.forEach((source, slot) => {
    const last = runs.at(-1);
    if (source < 0) return;
    if (last && last.slot + last.count === slot && last.source + last.count === source) last.count += 1;
    else runs.push({ source, slot, count: 1 });
  });
  return runs;
}

/** Where the entry of each slot comes from, −1 for none. */
function sourcesOf(held: Int32Array, sinks: number, slots: number): Int32Array {
  const from = new Int32Array(slots).fill(-1);
  const stays = held.every((position, slot) => position < 0 || slot < slots);
  let next = sinks;
  held.forEach((position, slot) => {
    if (position < 0) return;
    if (stays || slot < sinks) from[slot] = slot;
    else from[next++] = slot;
  });
  return from;
}
