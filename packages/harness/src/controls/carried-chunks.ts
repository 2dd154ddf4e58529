import { tf } from '@palimpsest/tensor-core';

/** The last two axes of four exchanged. */
export const turned = (x: tf.Tensor) => tf.transpose(x, [0, 1, 3, 2]);

/** Reads the whole chunks of a text in one call, and what is left of it in another; joined along the time, axis 2. */
export function inWholeChunks(
  time: number,
  chunk: number,
  start: tf.Tensor,
  readStretch: (
    carried: tf.Tensor,
    from: number,
    count: number,
    chunk: number,
  ) => readonly [tf.Tensor, tf.Tensor],
): readonly [tf.Tensor, tf.Tensor] {
  const rest = time % chunk;
  if (time <= chunk || rest === 0) return readStretch(start, 0, time, Math.min(time, chunk));
  const [first, carried] = readStretch(start, 0, time - rest, chunk);
  const [last, after] = readStretch(carried, time - rest, rest, rest);
  return [tf.concat([first, last], 2), after];
}

/** What chunks hand on, each [batch · heads, chunks, ...]. */
export interface CarriedChunks {
  /** What the tokens of a chunk would add to an empty memory. */
  readonly wanted: tf.Tensor;
  /** What they take off that for what the memory recalls. */
  readonly recalling: tf.Tensor;
  /** The keys under which they add it, transposed, as far as they last until the end of the chunk. */
  readonly kept: tf.Tensor;
  /** What is left of the memory after a chunk. */
  readonly whole: tf.Tensor;
  /** What the chunks add whatever the memory holds. Default: nothing. */
  readonly given?: tf.Tensor | undefined;
}

/** @returns the sums before every chunk, what the tokens of every chunk add, and the sums after the last one */
export function carryThroughChunks(
  { wanted, recalling, kept, whole, given }: CarriedChunks,
  sums: tf.Tensor,
): readonly [tf.Tensor, tf.Tensor, tf.Tensor] {
  const [lanes, count] = wanted.shape as [number, number];
  const of = (x: tf.Tensor, chunk: number) => tf.slice(x, [0, chunk, 0, 0], [lanes, 1, ...x.shape.slice(2)]);
  const before: tf.Tensor[] = [];
  const added: tf.Tensor[] = [];
  let carried = tf.reshape(sums, [lanes, 1, ...sums.shape.slice(2)]);
  for (let chunk = 0; chunk < count; chunk++) {
    before.push(carried);
    const adds = tf.sub(of(wanted, chunk), tf.matMul(of(recalling, chunk), carried));
    added.push(adds);
    const next = tf.add(tf.mul(carried, of(whole, chunk)), tf.matMul(of(kept, chunk), adds));
    carried = given ? tf.add(next, of(given, chunk)) : next;
  }
  const joined = (list: tf.Tensor[]) => (list.length === 1 ? list[0]! : tf.concat(list, 1));
  return [joined(before), joined(added), tf.reshape(carried, sums.shape)];
}
