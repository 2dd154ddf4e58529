import { tf } from '@palimpsest/tensor-core';

const FLOOR = 1e-8;

/**
 * Pearson correlations of series; 0 where one of the two is constant.
 * @param series `[n, count]`, n numbers of each
 * @returns `[count, count]`
 */
export function correlations(series: tf.Tensor): tf.Tensor {
  const centred = tf.sub(series, tf.mean(series, 0, true));
  const products = tf.matMul(centred, centred, true);
  const squares = tf.sum(tf.square(centred), 0, true);
  // The root of the product of sums has no finite gradient at 0, so the floor goes under it.
  const sizes = tf.sqrt(tf.maximum(tf.matMul(squares, squares, true), FLOOR * FLOOR));
  return tf.div(products, sizes);
}
