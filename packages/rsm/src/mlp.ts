import { linear, tf } from '@palimpsest/tensor-core';
import type { MlpParams } from './parameters.js';

/**
 * W_2 dropout(relu(W_1 x + b_1)) + b_2.
 * @param x [..., d]
 * @param dropout on the hidden layer, [..., 4 d].
 */
export function mlp(params: MlpParams, x: tf.Tensor, dropout = (hidden: tf.Tensor) => hidden): tf.Tensor {
  const hidden = tf.relu(linear(x, params.hidden.weight, params.hidden.bias));
  return linear(dropout(hidden), params.output.weight, params.output.bias);
}
