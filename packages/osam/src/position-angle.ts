import { tf } from '@palimpsest/tensor-core';

// 1 / (2 pi) in pieces of 12 bits, so that products with 12-bit numbers are exact in float32.
const INVERSE = 1 / (2 * Math.PI);
const PIECE_1 = Math.round(INVERSE * 2 ** 14) / 2 ** 14;
const PIECE_2 = Math.round((INVERSE - PIECE_1) * 2 ** 26) / 2 ** 26;
const PIECE_3 = Math.fround(INVERSE - PIECE_1 - PIECE_2);
const HALF_WORD = 4096;

/**
 * `omega * position` modulo 2 pi, to about 1e-6 for every position below 2^24. A plain float32 product loses a decimal
 * digit of the angle per decade of the position. The product is taken in turns, as exact sums of 12-bit by 12-bit products
 * whose whole turns are dropped before they cost digits: the float64 reduction without float64.
 *
 * @param omega radians per token, [channels] (one channel for a speed shared by all).
 * @param position int32 [n], 0 or more.
 * @returns [n, channels]. The gradient to omega is the position.
 */
export function positionAngle(omega: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const t = tf.reshape(tf.cast(position, 'float32'), [-1, 1]);
  const product = tf.customGrad((...inputs) => {
    const save = inputs.pop() as tf.GradSaveFunc;
    save([t]);
    return {
      value: tf.mul(turnsOf(inputs[0] as tf.Tensor, t), 2 * Math.PI),
      gradFunc: (dy: tf.Tensor, [positions]: tf.Tensor[]) => tf.sum(tf.mul(dy, positions!), 0),
    };
  });
  return product(omega);
}

const fraction = (x: tf.Tensor) => tf.sub(x, tf.round(x));

/** Turns made at every position, between -2 and 2. */
function turnsOf(omega: tf.Tensor, t: tf.Tensor): tf.Tensor {
  const [coarse, fine, rest] = turnsPerToken(omega);
  const high = tf.floor(tf.mul(t, 1 / HALF_WORD));
  const low = tf.sub(t, tf.mul(high, HALF_WORD));
  // Powers of two are taken out of the parameters' parts, which may be constants; the products stay exact.
  const whole = tf.add(
    fraction(tf.mul(tf.mul(coarse, 1 / HALF_WORD), low)),
    fraction(tf.mul(tf.mul(fine, 1 / HALF_WORD), high)),
  );
  return tf.add(tf.add(whole, tf.mul(tf.mul(fine, HALF_WORD ** -2), low)), tf.mul(rest, t));
}

/** omega / (2 pi) modulo 1 as `coarse / 2^12 + fine / 2^24 + rest`, with whole coarse and fine. */
function turnsPerToken(omega: tf.Tensor): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const scaled = tf.mul(omega, HALF_WORD + 1);
  const upper = tf.sub(scaled, tf.sub(scaled, omega));
  const lower = tf.sub(omega, upper);
  const leading = tf.mul(upper, PIECE_1);
  const [coarse, left] = splitOff(leading, HALF_WORD);
  const middle = [left, tf.mul(lower, PIECE_1), tf.mul(upper, PIECE_2)].map((x) =>
    splitOff(x, HALF_WORD ** 2),
  );
  const fine = middle.map(([whole]) => whole).reduce((x, y) => tf.add(x, y));
  const small = tf.add(tf.mul(lower, PIECE_2), tf.mul(omega, PIECE_3));
  const rest = middle.map(([, remainder]) => remainder).reduce((x, y) => tf.add(x, y), small);
  const carry = tf.round(tf.mul(fine, 1 / HALF_WORD));
  const carried = tf.add(coarse, carry);
  const wholeTurns = tf.mul(tf.round(tf.mul(carried, 1 / HALF_WORD)), HALF_WORD);
  return [tf.sub(carried, wholeTurns), tf.sub(fine, tf.mul(carry, HALF_WORD)), rest];
}

/** A number as whole multiples of 1 / unit, and what is left. */
function splitOff(x: tf.Tensor, unit: number): [tf.Tensor, tf.Tensor] {
  const whole = tf.round(tf.mul(x, unit));
  return [whole, tf.sub(x, tf.mul(whole, 1 / unit))];
}
