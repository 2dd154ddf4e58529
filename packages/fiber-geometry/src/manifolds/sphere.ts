import { tf } from '@palimpsest/tensor-core';
import { startAndDirection } from '../great-circle.js';
import { safeNorm } from '../safe-norm.js';
import { inner, type Manifold, parameterColumn, scaledIdentity } from './manifold.js';

/** The unit sphere in R^d; points are unit vectors, tangents are orthogonal to them. */
export const Sphere: Manifold = {
  dist(p, q) {
    return tf.squeeze(startAndDirection(p, q).angle, [1]);
  },
  exp(p, v) {
    const speed = safeNorm(v);
    const direction = tf.div(v, tf.maximum(speed, 1e-30));
    return tf.add(tf.mul(tf.cos(speed), p), tf.mul(tf.sin(speed), direction));
  },
  log(p, q) {
    const { direction, angle } = startAndDirection(p, q);
    return tf.mul(angle, direction);
  },
  geodesic(p, q, t) {
    const { start, direction, angle } = startAndDirection(p, q);
    const phase = tf.mul(parameterColumn(t), tf.expandDims(angle, 1));
    return tf.add(
      tf.mul(tf.cos(phase), tf.expandDims(start, 1)),
      tf.mul(tf.sin(phase), tf.expandDims(direction, 1)),
    );
  },
  /** a − ⟨q,a⟩/(1+⟨p,q⟩)·(p+q); undefined for antipodes, between which no geodesic is the shortest. */
  transport(p, q, a) {
    const factor = tf.div(inner(q, a), tf.add(1, inner(p, q)));
    return tf.sub(a, tf.mul(factor, tf.add(p, q)));
  },
  /** The ambient metric, of which the sphere's is the restriction. */
  metric(p) {
    return scaledIdentity(tf.onesLike(inner(p, p)), p.shape[1]!);
  },
};
