import { normalise, tf } from '@palimpsest/tensor-core';
import type { Coordinates } from '../model/adapters.js';
import { pearson } from './pearson.js';

const TARGET = 0.3;

/**
 * Mean of (|r| − 0.3)² over the three pairs of bundles, r the correlation over a batch of the mean components of the fibers at
 * unit length; 0 for a single row.
 */
export function crossBundleIndependence({ time, topic, ctx }: Coordinates): tf.Tensor {
  if (time.fiber.shape[0]! < 2) return tf.scalar(0);
  const [a, b, c] = [time, topic, ctx].map(({ fiber }) => tf.mean(normalise(fiber), 1)) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const pairs = [pearson(a, b), pearson(a, c), pearson(b, c)];
  return tf.div(tf.addN(pairs.map((r) => tf.square(tf.sub(tf.abs(r), TARGET)))), pairs.length);
}
