import { tf } from '@palimpsest/tensor-core';

/**
 * Picks rows of a matrix, each at most once, and appends nothing: `x[index]`. Its gradient is a gather too, from the rows
 * and one zero row, because scattering is missing or slow on many engines.
 *
 * @param x [rows, width].
 * @param index rows to take.
 * @param inverse for every row of `x` its place in `index`, or `index.length`.
 */
export function gatherRows(x: tf.Tensor, index: Int32Array, inverse: Int32Array): tf.Tensor {
  const pick = tf.customGrad((rows) => ({
    value: tf.gather(rows as tf.Tensor, tf.tensor1d(index, 'int32')),
    gradFunc: (dy: tf.Tensor) => spreadRows(dy, inverse),
  }));
  return pick(x);
}

/** Rows placed by an inverse index, zeros where it says `rows.length`: [places, width]. */
export function spreadRows(rows: tf.Tensor, inverse: Int32Array): tf.Tensor {
  const width = rows.shape[1]!;
  const padded = tf.concat([rows, tf.zeros([1, width])], 0);
  return tf.gather(padded, tf.tensor1d(inverse, 'int32'));
}
