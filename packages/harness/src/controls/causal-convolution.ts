import { tf } from '@palimpsest/tensor-core';

/**
 * Causal depthwise convolution over time: y_t = Σ_i w_i ⊙ x_{t-i}, as a sum of shifted copies.
 * @param x [batch, time, width]
 * @param kernel [taps, width]; row 0 weighs the present token
 * @param before the last taps - 1 inputs before x, [batch, taps - 1, width]
 * @returns y [batch, time, width], and the last taps - 1 inputs
 */
export function causalConvolution(
  x: tf.Tensor,
  kernel: tf.Tensor,
  before: tf.Tensor,
): [tf.Tensor, tf.Tensor] {
  const [batch, time, width] = x.shape as [number, number, number];
  const taps = kernel.shape[0]!;
  const padded = tf.concat([before, x], 1);
  const shifted = Array.from({ length: taps }, (_, tap) =>
    tf.mul(
      tf.slice(padded, [0, taps - 1 - tap, 0], [batch, time, width]),
      tf.slice(kernel, [tap, 0], [1, width]),
    ),
  );
  return [
    shifted.reduce((sum, part) => tf.add(sum, part)),
    tf.slice(padded, [0, time, 0], [batch, taps - 1, width]),
  ];
}
