import { linear, tf } from '@palimpsest/tensor-core';
import type { MatrixParams } from './parameters.js';

/** Both layers of an MLP; the first generation has no biases. */
export interface MlpForm {
  readonly hidden: MatrixParams & { readonly bias?: tf.Tensor };
  readonly output: MatrixParams & { readonly bias?: tf.Tensor };
}

/**
 * W_2 dropout(relu(W_1 x + b_1)) + b_2.
 * @param x [..., d]
 * @param dropout on the hidden layer, [..., 4 d].
 */
export function mlp(params: MlpForm, x: tf.Tensor, dropout = (hidden: tf.Tensor) => hidden): tf.Tensor {
  const hidden = tf.relu(linear(x, params.hidden.weight, params.hidden.bias));
  return linear(dropout(hidden), params.output.weight, params.output.bias);
}
