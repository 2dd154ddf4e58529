import { tf } from '../tf.js';

/** Running sums along an axis, each including its own element. Axis: default the last. */
export function cumulativeSum(x: tf.Tensor, axis = -1): tf.Tensor {
  return tf.cumsum(x, axis < 0 ? axis + x.rank : axis);
}

/** Running sums along an axis, each over the elements before its own; the first is 0. Axis: default the last. */
export function exclusiveCumulativeSum(x: tf.Tensor, axis = -1): tf.Tensor {
  return tf.cumsum(x, axis < 0 ? axis + x.rank : axis, true);
}
