import { tf } from '@palimpsest/tensor-core';
import { safeNorm } from '../safe-norm.js';
import { inner, type Manifold, parameterColumn, scaledIdentity, squaredNorm } from './manifold.js';

/** Möbius addition x ⊕ y along the last axis. */
export function mobiusAdd(x: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const [xy, xx, yy] = [inner(x, y), squaredNorm(x), squaredNorm(y)];
  const twice = tf.add(1, tf.mul(xy, 2));
  const left = tf.mul(tf.add(twice, yy), x);
  const right = tf.mul(tf.sub(1, xx), y);
  return tf.div(tf.add(left, right), tf.add(twice, tf.mul(xx, yy)));
}

/** gyr[a, b]c = −(a ⊕ b) ⊕ (a ⊕ (b ⊕ c)). */
function gyrate(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor): tf.Tensor {
  return mobiusAdd(tf.neg(mobiusAdd(a, b)), mobiusAdd(a, mobiusAdd(b, c)));
}

const conformalFactor = (x: tf.Tensor) => tf.div(2, tf.sub(1, squaredNorm(x)));

/** artanh by its logarithm, in the form that keeps the digits of small arguments. */
const artanh = (x: tf.Tensor) => tf.mul(0.5, tf.log1p(tf.div(tf.mul(x, 2), tf.sub(1, x))));

/** Direction and length of (−x) ⊕ y. */
function towards(x: tf.Tensor, y: tf.Tensor): { direction: tf.Tensor; length: tf.Tensor } {
  const u = mobiusAdd(tf.neg(x), y);
  const length = safeNorm(u);
  return { direction: tf.div(u, tf.maximum(length, 1e-30)), length };
}

/** Hyperbolic space of curvature −1 in the open unit ball. */
export const PoincareBall: Manifold = {
  /** arcosh(1 + 2‖x−y‖²/((1−‖x‖²)(1−‖y‖²))) as 2 arsinh, which keeps the digits of small distances. */
  dist(x, y) {
    const scale = tf.sqrt(tf.mul(tf.sub(1, squaredNorm(x)), tf.sub(1, squaredNorm(y))));
    const s = tf.div(safeNorm(tf.sub(x, y)), scale);
    const square = tf.square(s);
    const root = tf.sqrt(tf.add(1, square));
    const distance = tf.mul(2, tf.log1p(tf.add(s, tf.div(square, tf.add(1, root)))));
    return tf.squeeze(distance, [1]);
  },
  exp(x, v) {
    const speed = safeNorm(v);
    const reach = tf.tanh(tf.mul(tf.mul(conformalFactor(x), speed), 0.5));
    return mobiusAdd(x, tf.mul(reach, tf.div(v, tf.maximum(speed, 1e-30))));
  },
  log(x, y) {
    const { direction, length } = towards(x, y);
    return tf.mul(tf.div(tf.mul(artanh(length), 2), conformalFactor(x)), direction);
  },
  geodesic(x, y, t) {
    const { direction, length } = towards(x, y);
    const reach = tf.tanh(tf.mul(parameterColumn(t), tf.expandDims(artanh(length), 1)));
    const step = tf.mul(reach, tf.expandDims(direction, 1));
    return mobiusAdd(tf.add(tf.expandDims(x, 1), tf.zerosLike(step)), step);
  },
  /** (λ_x/λ_y)·gyr[y, −x]v; gyrations are linear, so v is scaled down to stay inside the ball on the way. */
  transport(x, y, v) {
    const size = tf.maximum(tf.mul(safeNorm(v), 2), 1);
    const turned = tf.mul(gyrate(y, tf.neg(x), tf.div(v, size)), size);
    return tf.mul(tf.div(conformalFactor(x), conformalFactor(y)), turned);
  },
  metric(x) {
    return scaledIdentity(tf.square(conformalFactor(x)), x.shape[1]!);
  },
};
