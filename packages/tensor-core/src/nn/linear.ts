import { InputError } from '../errors.js';
import { formatShape, sizeOf } from '../ndarray.js';
import { tf } from '../tf.js';

/**
 * Affine map of the last axis, y = x Wᵀ + b. Leading axes are folded into one, so that any number of them costs one
 * matrix product, forward and backward.
 * @param x `[..., in]`
 * @param weight `[out, in]`
 * @param bias `[out]`
 * @returns `[..., out]`
 * @throws InputError when the last axis of `x` is not the weight's input width.
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  if (x.shape.at(-1) !== inputs) {
    throw new InputError(
      `A linear map of weight ${formatShape(weight.shape)} needs inputs of width ${inputs}, but got shape ${formatShape(x.shape)}.`,
    );
  }
  const leading = x.shape.slice(0, -1);
  const rows = x.rank === 2 ? x : tf.reshape(x, [sizeOf(leading), inputs]);
  const product = tf.matMul(rows, weight, false, true);
  const shifted = bias ? tf.add(product, bias) : product;
  return x.rank === 2 ? shifted : tf.reshape(shifted, [...leading, outputs]);
}
