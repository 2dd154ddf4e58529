import { InputError } from '@palimpsest/base';
import { tf } from '../tf.js';

/**
 * Scales vectors to length 1: x / ‖x‖₂ along an axis. A vector no longer than `epsilon` has no direction: it becomes 0
 * and gives gradient 0, where the gradient of x / √(x · x) is NaN. Lengths neither overflow nor underflow: 3e30 and
 * 3e-30 are scaled as well as 3.
 * @param x `[...]`, float32
 * @param axis default the last
 * @param epsilon default 1e-12
 * @returns as `x`
 * @throws InputError for an axis that `x` does not have, or a negative epsilon.
 */
export function normalise(x: tf.Tensor, axis = -1, epsilon = 1e-12): tf.Tensor {
  if (!Number.isInteger(axis) || axis >= x.rank || axis < -x.rank) {
    throw new InputError(
      `Vectors are normalised along an axis of the tensor, but axis ${axis} was given for ${x.rank} axes.`,
    );
  }
  if (!(epsilon >= 0)) throw new InputError(`An epsilon is 0 or more, but ${epsilon} was given.`);
  return tf.customGrad((input, save) => {
    const vectors = input as tf.Tensor;
    const largest = tf.max(tf.abs(vectors), axis, true);
    const scale = tf.where(tf.greater(largest, 0), largest, tf.onesLike(largest));
    // The largest number of a scaled vector is 1, so that its squares stay in range.
    const scaled = tf.div(vectors, scale);
    const root = tf.sqrt(tf.sum(tf.square(scaled), axis, true));
    const hasDirection = tf.greater(tf.mul(scale, root), epsilon);
    const inverse = tf.where(hasDirection, tf.reciprocal(root), tf.zerosLike(root));
    const unit = tf.mul(scaled, inverse);
    (save as tf.GradSaveFunc)([unit, tf.div(inverse, scale)]);
    return {
      value: unit,
      gradFunc: (dy, saved) => {
        const [direction, inverseLength] = saved as [tf.Tensor, tf.Tensor];
        const along = tf.sum(tf.mul(dy as tf.Tensor, direction), axis, true);
        return tf.mul(tf.sub(dy as tf.Tensor, tf.mul(direction, along)), inverseLength);
      },
    };
  })(x);
}
