import { tf } from '@palimpsest/tensor-core';

/**
 * A Riemannian manifold with closed forms. Points and tangents are `[B, d]` in the manifold's coordinates; every
 * function is differentiable.
 */
export interface Manifold {
  /** Geodesic distance, `[B]`. */
  dist(x: tf.Tensor, y: tf.Tensor): tf.Tensor;
  /** End of the geodesic that leaves x with velocity v, after unit time. */
  exp(x: tf.Tensor, v: tf.Tensor): tf.Tensor;
  /** The velocity at x with which the geodesic reaches y at unit time. */
  log(x: tf.Tensor, y: tf.Tensor): tf.Tensor;
  /** Points of the geodesic from x to y at the parameters `t`, `[B, t.length, d]`. */
  geodesic(x: tf.Tensor, y: tf.Tensor, t: readonly number[]): tf.Tensor;
  /** Parallel transport of the tangent v at x along the geodesic to y. */
  transport(x: tf.Tensor, y: tf.Tensor, v: tf.Tensor): tf.Tensor;
  /** The metric's matrix in the coordinates of the ambient space, `[B, d, d]`. */
  metric(x: tf.Tensor): tf.Tensor;
}

/** ⟨a, b⟩ along the last axis, which is kept with extent 1. */
export const inner = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, b), -1, true);

export const squaredNorm = (a: tf.Tensor): tf.Tensor => tf.sum(tf.square(a), -1, true);

/** factor `[B, 1]` times the identity, `[B, d, d]`. */
export function scaledIdentity(factor: tf.Tensor, d: number): tf.Tensor {
  const data = new Float32Array(d * d);
  for (let i = 0; i < d; i++) data[i * d + i] = 1;
  return tf.mul(tf.expandDims(factor, 2), tf.tensor3d(data, [1, d, d]));
}

/** Parameters `[1, n, 1]` against rows `[B, 1, d]`. */
export const parameterColumn = (t: readonly number[]): tf.Tensor3D =>
  tf.tensor3d(Float32Array.from(t), [1, t.length, 1]);
