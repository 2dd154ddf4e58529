import { tf } from '../tf.js';

/** βᵗ below e^-30 is nothing beside 1 in float32; the bound keeps exponentials of long trainings in range. */
const LOWEST_EXPONENT = -30;

/** 1 − βᵗ with all its digits, which 1 minus a float32 power would lose in the first steps. @param step t, a scalar */
export function oneMinusPower(beta: number, step: tf.Tensor): tf.Tensor {
  if (beta === 0) return tf.onesLike(step);
  return tf.neg(tf.expm1(tf.maximum(tf.mul(step, Math.log(beta)), LOWEST_EXPONENT)));
}
