import { tf } from '@palimpsest/tensor-core';

const FLOOR = 1e-8;

/** Pearson correlation of two series, `[n]` each; 0 where one of them is constant. */
export function pearson(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const [x, y] = [tf.sub(a, tf.mean(a)), tf.sub(b, tf.mean(b))];
  const product = tf.sum(tf.mul(x, y));
  // The root of the product of sums has no finite gradient at 0, so the floor goes under it.
  const size = tf.sqrt(tf.maximum(tf.mul(tf.sum(tf.square(x)), tf.sum(tf.square(y))), FLOOR * FLOOR));
  return tf.div(product, size);
}
