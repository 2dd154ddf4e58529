import { InputError } from '@palimpsest/base';
import { stopGradient } from '../gradient.js';
import { keyedUniform } from '../keyed-uniform.js';
import { tf } from '../tf.js';

/**
 * Dropout with a given keep mask: kept values are scaled by 1 / (1 − rate).
 * @param x `[...]`
 * @param keep 1 to keep, 0 to drop; broadcasts to `x` and receives no gradient
 * @param rate share of values that the mask drops, in [0, 1)
 */
export function dropoutWithMask(x: tf.Tensor, keep: tf.Tensor, rate: number): tf.Tensor {
  return tf.mul(x, tf.mul(stopGradient(tf.cast(keep, 'float32')), 1 / (1 - rate)));
}

/**
 * Dropout (Srivastava et al. 2014) whose mask is a function of a key, the same on every engine.
 * @param x `[...]`
 * @param rate share of values set to zero, in [0, 1); 0 gives `x` back
 * @param key int32 `[2]`, from `Rng.key()`
 * @throws InputError for a rate outside [0, 1).
 */
export function dropout(x: tf.Tensor, rate: number, key: tf.Tensor): tf.Tensor {
  if (!(rate >= 0 && rate < 1)) throw new InputError(`A dropout rate lies in [0, 1), but ${rate} was given.`);
  if (rate === 0) return x;
  return dropoutWithMask(x, tf.greaterEqual(keyedUniform(key, x.shape), rate), rate);
}
