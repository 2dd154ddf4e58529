import { gelu, tf } from '@palimpsest/tensor-core';
import type { NonLinearity } from '../config.js';

/** The activation of a name. */
export function activate(name: NonLinearity, x: tf.Tensor): tf.Tensor {
  if (name === 'relu') return tf.relu(x);
  if (name === 'tanh') return tf.tanh(x);
  if (name === 'sigmoid') return tf.sigmoid(x);
  if (name === 'gelu') return gelu(x);
  return tf.mul(x, tf.sigmoid(x));
}
