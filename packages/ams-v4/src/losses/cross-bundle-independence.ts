import { tf } from '@palimpsest/tensor-core';

const TARGET = 0.3;
const PAIRS = 3;

/**
 * Mean of (|r| − 0.3)² over the three pairs of bundles, r the correlation over a batch of the mean components of the fibers at
 * unit length.
 * @param r `[series, series]`, those of time, topic and context first
 */
export function crossBundleIndependence(r: tf.Tensor): tf.Tensor {
  const deviations = tf.square(tf.sub(tf.abs(tf.slice(r, [0, 0], [PAIRS, PAIRS])), TARGET));
  const pairs = tf.tensor2d([
    [0, 1, 1],
    [0, 0, 1],
    [0, 0, 0],
  ]);
  return tf.div(tf.sum(tf.mul(deviations, pairs)), PAIRS);
}
