import { InputError, type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { Schedule } from './schedule.js';
import type { HostState } from './state.js';

/** An array that stands for a number of slots, which graphs know by its shape. */
export const slots = (count: number): NDArray => ndarray(new Int32Array(count), [count], 'int32');

/** So many columns of int32 `[batch, time]` from one on. */
export function columns({ data, shape }: NDArray, from: number, count: number): NDArray {
  const [batch, time] = shape as [number, number];
  const values = Int32Array.from({ length: batch * count }, (_, index) => {
    const [row, column] = [Math.floor(index / count), index % count];
    return data[row * time + from + column]!;
  });
  return ndarray(values, [batch, count], 'int32');
}

export function validityOf({ data, shape }: NDArray): NDArray {
  const valid = new Uint8Array(data.length);
  for (let i = 0; i < valid.length; i++) valid[i] = Number(data[i]! >= 0);
  return ndarray(valid, shape, 'bool');
}

/** Slots that stay, behind empty ones up to the extent. */
export function rightAligned(kept: NDArray, extent: number): NDArray<'int32'> {
  const [batch, heads, most] = kept.shape as [number, number, number];
  const slots = new Int32Array(batch * heads * extent).fill(-1);
  for (let list = 0; list < batch * heads; list++) {
    const own = Int32Array.from(kept.data.subarray(list * most, (list + 1) * most));
    slots.set(own, (list + 1) * extent - most);
  }
  return ndarray(slots, [batch, heads, extent], 'int32');
}

/** Empty slots behind the newest entry, the fewest of any head. */
export function roomOf({ layers }: HostState): number {
  const rooms = layers.map(({ positions: { data, shape } }) => {
    const slots = shape[2]!;
    let fewest = slots;
    for (let list = 0; list * slots < data.length; list++) {
      let room = 0;
      while (room < slots && data[(list + 1) * slots - 1 - room]! < 0) room += 1;
      fewest = Math.min(fewest, room);
    }
    return fewest;
  });
  return Math.min(...rooms);
}

/**
 * Tokens of padding before each text.
 * @param mask 0/1 `[batch, time]`
 * @throws InputError for padding that does not stand on the left, or is no multiple of the interval, or, with adaptive
 * updates, of the hop.
 */
export function paddingOf({ data, shape }: NDArray, { updateInterval, adaptive }: Schedule): number[] {
  const unit = adaptive?.hopLength ?? updateInterval;
  const name = adaptive ? 'hopLength' : 'updateInterval';
  const [batch, time] = shape as [number, number];
  return Array.from({ length: batch }, (_, row) => {
    const own = data.subarray(row * time, (row + 1) * time);
    const padding = own.indexOf(1);
    if (padding < 0 || padding % unit !== 0 || own.subarray(padding).includes(0)) {
      throw new InputError(
        `Padding stands on the left and is a multiple of the ${name} ${unit}, so that updates fall where they would fall alone; text ${row} has another mask.`,
      );
    }
    return padding;
  });
}
