import { tf } from '@palimpsest/tensor-core';
import { positionAngle } from './position-angle.js';

/**
 * Turns every channel of real rows by a content phase and a position phase (DERIVATION.md, "The block"):
 * `x exp(i (theta x + sign * omega * position))`, elementwise.
 *
 * @param x [batch, time, d].
 * @param theta scalar, radians per unit of the channel's value.
 * @param angle omega * position, [batch or 1, time, d or 1]; absent when positions do not turn anything.
 * @param sign -1 for queries, 1 for keys: products without conjugation then depend on distances alone.
 * @returns [batch, time, 2 d]: real parts, then imaginary parts.
 */
export function phaseFeatures(
  x: tf.Tensor,
  theta: tf.Tensor,
  angle: tf.Tensor | undefined,
  sign: 1 | -1,
): tf.Tensor {
  const content = tf.mul(theta, x);
  const turned = angle && (sign === 1 ? tf.add(content, angle) : tf.sub(content, angle));
  const phase = turned ?? content;
  return tf.concat([tf.mul(x, tf.cos(phase)), tf.mul(x, tf.sin(phase))], 2);
}

/**
 * Position phases of a run of tokens. Rows may start at different positions; the angle of the start is reduced for every
 * row, the angles of the `time` offsets once for all.
 * @param omega [1] or [d].
 * @param start int32 [batch].
 * @returns [batch, time, 1 or d].
 */
export function positionPhases(omega: tf.Tensor, start: tf.Tensor, time: number): tf.Tensor {
  const first = tf.expandDims(positionAngle(omega, start), 1);
  if (time === 1) return first;
  const offsets = tf.tensor1d(
    Int32Array.from({ length: time }, (_, index) => index),
    'int32',
  );
  return tf.add(first, tf.expandDims(positionAngle(omega, offsets), 0));
}
