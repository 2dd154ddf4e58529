import { tf } from '@palimpsest/tensor-core';
import type { Tensors } from './mixers/mixer.js';

/** The inputs of a convolution before the first token: nothing. One tap needs none. */
export function noTokens(batch: number, taps: number, width: number): Tensors {
  return taps > 1 ? { recent: tf.zeros([batch, taps - 1, width]) } : {};
}

/**
 * Causal depthwise convolution over time: y_t = Σ_i w_i ⊙ x_{t-i}, as a sum of shifted copies.
 * @param x [batch, time, width]
 * @param kernel [taps, width]; row 0 weighs the present token
 * @param state `recent`: the last taps - 1 inputs before x, [batch, taps - 1, width]; of one tap nothing
 * @returns y [batch, time, width], and the last taps - 1 inputs
 */
export function causalConvolution(
  x: tf.Tensor,
  kernel: tf.Tensor,
  { recent }: Tensors,
): readonly [tf.Tensor, Tensors] {
  const [batch, time, width] = x.shape as [number, number, number];
  const taps = kernel.shape[0]!;
  if (!recent) return [tf.mul(x, kernel), {}];
  const padded = tf.concat([recent, x], 1);
  const shifted = Array.from({ length: taps }, (_, tap) =>
    tf.mul(
      tf.slice(padded, [0, taps - 1 - tap, 0], [batch, time, width]),
      tf.slice(kernel, [tap, 0], [1, width]),
    ),
  );
  return [
    shifted.reduce((sum, part) => tf.add(sum, part)),
    { recent: tf.slice(padded, [0, time, 0], [batch, taps - 1, width]) },
  ];
}
