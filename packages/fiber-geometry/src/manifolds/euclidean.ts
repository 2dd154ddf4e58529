import { tf } from '@palimpsest/tensor-core';
import { safeNorm } from '../safe-norm.js';
import { inner, type Manifold, parameterColumn, scaledIdentity } from './manifold.js';

/** Flat space. */
export const Euclidean: Manifold = {
  dist(x, y) {
    return tf.squeeze(safeNorm(tf.sub(y, x)), [1]);
  },
  exp(x, v) {
    return tf.add(x, v);
  },
  log(x, y) {
    return tf.sub(y, x);
  },
  geodesic(x, y, t) {
    const [start, end] = [tf.expandDims(x, 1), tf.expandDims(y, 1)];
    return tf.add(start, tf.mul(parameterColumn(t), tf.sub(end, start)));
  },
  transport(_x, _y, v) {
    return v;
  },
  metric(x) {
    return scaledIdentity(tf.onesLike(inner(x, x)), x.shape[1]!);
  },
};
