import { applyRotary, rotaryTable, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from './config.js';

/** The options that decide whether, and for which places, queries and keys are turned. */
export type RotaryConfig = Partial<Pick<RsmConfig, 'positions'>>;

/** Cosines and sines of the places, with axes for `shape`, which ends in the half width of a head. */
function anglesAt(places: tf.Tensor, rows: number, width: number, shape: number[]): [tf.Tensor, tf.Tensor] {
  const { cos, sin } = rotaryTable(
    Array.from({ length: rows }, (_, row) => row),
    width,
  );
  const at = (table: tf.Tensor) => tf.reshape(tf.gather(table, places), shape);
  return [at(cos), at(sin)];
}

/**
 * Queries or keys turned by their place in the chunk (Su et al. 2021) where `positions` is 'rotary', else as they are.
 * @param x [batch, heads, time, width], of places 0 to time - 1, or of `places`
 * @param places int32 [batch, time], below `rows`
 */
export function rotateHeads(
  { positions }: RotaryConfig,
  x: tf.Tensor,
  places?: { readonly of: tf.Tensor; readonly rows: number },
): tf.Tensor {
  if (positions !== 'rotary') return x;
  const [, , time, width] = x.shape as [number, number, number, number];
  if (!places) {
    const { cos, sin } = rotaryTable(
      Array.from({ length: time }, (_, place) => place),
      width,
    );
    return applyRotary(x, cos, sin);
  }
  const shape = [places.of.shape[0]!, 1, time, width / 2];
  return applyRotary(x, ...anglesAt(places.of, places.rows, width, shape));
}

/**
 * The queries and keys among rows of queries, keys and values, turned by one place.
 * @param packed [batch, 3 d]
 * @param position int32 scalar or [batch]
 * @param heads number of heads
 */
export function rotatePacked(
  { positions, chunkSize }: RotaryConfig & Pick<RsmConfig, 'chunkSize'>,
  packed: tf.Tensor,
  position: tf.Tensor,
  heads: number,
): tf.Tensor {
  if (positions !== 'rotary') return packed;
  const [batch, columns] = packed.shape as [number, number];
  const width = columns / (3 * heads);
  const [turned, values] = tf.split(packed, [2 * heads * width, heads * width], 1) as [tf.Tensor, tf.Tensor];
  const places = tf.reshape(position, [-1]);
  const angles = anglesAt(places, chunkSize, width, [places.size, 1, width / 2]);
  const rows = applyRotary(tf.reshape(turned, [batch, 2 * heads, width]), ...angles);
  return tf.concat([tf.reshape(rows, [batch, 2 * heads * width]), values], 1);
}
