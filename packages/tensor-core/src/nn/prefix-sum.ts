import { tf } from '../tf.js';

/** Running sums along an axis, each including its own element. Axis: default the last. */
export function cumulativeSum(x: tf.Tensor, axis = -1): tf.Tensor {
  return tf.cumsum(x, axis < 0 ? axis + x.rank : axis);
}
