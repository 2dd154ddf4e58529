import { tf } from '@palimpsest/tensor-core';
import type { TransformerConfig } from './config.js';

/** Rows that this call may attend to, and the rows of the cache after it. Several rows leave the newest one last. */
export interface Appended {
  readonly visible: tf.Tensor;
  readonly next: tf.Tensor;
}

type Slots = Pick<TransformerConfig, 'sinks' | 'capacity'>;
const AXIS = 2;

/** Rows `from`, … of axis 2. */
function rows(x: tf.Tensor, from: number, count: number): tf.Tensor {
  if (from === 0 && count === x.shape[AXIS]) return x;
  const begin = x.shape.map((_, axis) => (axis === AXIS ? from : 0));
  return tf.slice(
    x,
    begin,
    x.shape.map((extent, axis) => (axis === AXIS ? count : extent)),
  );
}

const join = (parts: readonly (tf.Tensor | undefined)[]): tf.Tensor => {
  const present = parts.filter((part) => part !== undefined);
  return present.length === 1 ? present[0]! : tf.concat(present, AXIS);
};

function padded(x: tf.Tensor, before: number, after: number, value: number): tf.Tensor {
  if (before === 0 && after === 0) return x;
  const paddings = x.shape.map((_, axis): [number, number] => (axis === AXIS ? [before, after] : [0, 0]));
  return tf.pad(x, paddings, value);
}

/** The newest `capacity` rows, after empty ones when there are fewer. */
function newest(tail: tf.Tensor, capacity: number, empty: number): tf.Tensor {
  const count = tail.shape[AXIS]!;
  if (count < capacity) return padded(tail, capacity - count, 0, empty);
  return rows(tail, count - capacity, capacity);
}

/**
 * Appends to a cache whose window is in order. The oldest row of the window drops out before the new rows are seen: the
 * first new query sees its own row and the capacity − 1 before it.
 * @param cached `[batch, heads, slots, …]`, or nothing for a cache that is known to be empty
 * @param fresh new rows `[batch, heads, time, …]`
 * @param sinks the sinks' rows after this call, `[batch, heads, sinks, …]`
 * @param empty value of rows that no token has filled. Default 0.
 */
export function append(
  cached: tf.Tensor | undefined,
  fresh: tf.Tensor,
  sinks: tf.Tensor | undefined,
  slots: Slots,
  empty = 0,
): Appended {
  const kept = cached && slots.capacity > 1 ? rows(cached, slots.sinks + 1, slots.capacity - 1) : undefined;
  const tail = join([kept, fresh]);
  const visible = join([sinks, tail]);
  const isFull = tail.shape[AXIS] === slots.capacity;
  return { visible, next: isFull ? visible : join([sinks, newest(tail, slots.capacity, empty)]) };
}

/** Appends the first rows of a text to an empty cache; here sinks are seen among the rows themselves. */
export function appendFirst(fresh: tf.Tensor, slots: Slots, empty = 0): Appended {
  const time = fresh.shape[AXIS]!;
  if (slots.sinks === 0) return { visible: fresh, next: newest(fresh, slots.capacity, empty) };
  const found = Math.min(time, slots.sinks);
  const sinks = padded(rows(fresh, 0, found), 0, slots.sinks - found, empty);
  const rest = time - found;
  const window =
    rest > 0
      ? newest(rows(fresh, found, rest), slots.capacity, empty)
      : tf.fill(
          fresh.shape.map((extent, axis) => (axis === AXIS ? slots.capacity : extent)),
          empty,
          fresh.dtype as 'float32' | 'int32',
        );
  return { visible: fresh, next: join([sinks, window]) };
}
