import { stopGradient, tf } from '@palimpsest/tensor-core';

/** √q with gradient 0 (not NaN) where q ≤ `floor`; there the value is 0. */
export function safeSqrt(q: tf.Tensor, floor = 0): tf.Tensor {
  const positive = tf.greater(stopGradient(q), floor);
  return tf.where(positive, tf.sqrt(tf.where(positive, q, tf.onesLike(q))), tf.zerosLike(q));
}

/** ‖x‖₂ along the last axis, kept as an axis of extent 1; gradient 0 at x = 0. */
export function safeNorm(x: tf.Tensor): tf.Tensor {
  return safeSqrt(tf.sum(tf.square(x), -1, true));
}

/** v / max(‖v‖₂, eps) along the last axis. */
export function normalise(x: tf.Tensor, eps: number): tf.Tensor {
  return tf.div(x, tf.maximum(safeNorm(x), eps));
}
