import { tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from '../../config.js';
import type { FeatureOutput } from './feature-form.js';

const RMS_EPSILON = 1e-6;

/**
 * Scales the bare convolution to the features psi: by 1 / (sqrt(m) sqrt(t + 1)), and by the inverse RMS over all m buckets
 * with `featureScale: 'rms'`. Scaling commutes with W_1, so it is applied to the projected rows.
 * @param positionScale 1 / sqrt(t + 1), [N, 1].
 */
export function scaleFeatures(
  { projected, energy, psi }: FeatureOutput,
  positionScale: tf.Tensor,
  config: OsamConfig,
): { projected: tf.Tensor; psi?: tf.Tensor | undefined; norm?: tf.Tensor | undefined } {
  const m = config.sketchDim;
  let scale = tf.mul(positionScale, 1 / Math.sqrt(m));
  if (config.featureScale === 'rms') {
    const meanSquare = tf.mul(tf.mul(tf.square(scale), tf.expandDims(energy!, 1)), 1 / m);
    scale = tf.mul(scale, tf.rsqrt(tf.add(meanSquare, RMS_EPSILON)));
  }
  return {
    projected: tf.mul(projected, scale),
    psi: psi && tf.mul(psi, scale),
    norm: energy && tf.mul(tf.sqrt(energy), tf.reshape(scale, [-1])),
  };
}
