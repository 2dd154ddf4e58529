import { tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';

/**
 * The embedded age of every token: sines, then cosines of its distance from the newest one, at geometric frequencies.
 * @param positions int32 original positions, `[batch, heads, tokens]`; -1 where there is no token
 * @returns `[batch, heads, tokens, recencyEmbedDim]`
 */
export function embedAge(
  {
    recencyEmbedDim,
    recencyMaxFreq,
    startRecencyFrom,
  }: Pick<NAMMConfig, 'recencyEmbedDim' | 'recencyMaxFreq' | 'startRecencyFrom'>,
  positions: tf.Tensor,
): tf.Tensor {
  const half = recencyEmbedDim / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => recencyMaxFreq ** (-i / half));
  const places = tf.cast(positions, 'float32');
  const age = tf.add(tf.sub(tf.max(places, 2, true), places), startRecencyFrom);
  const angles = tf.mul(tf.expandDims(age, 3), tf.reshape(tf.tensor1d(frequencies), [1, 1, 1, half]));
  return tf.concat([tf.sin(angles), tf.cos(angles)], 3);
}
