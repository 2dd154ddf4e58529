import { cumulativeSum, tf } from '@palimpsest/tensor-core';
import { type Decay, type Fading, tokens } from './chunked-attention.js';

/** γ per head, in (0, 1], the same for every token. */
export function fixedDecay(gammas: readonly number[]): Decay {
  return (_from, count) => {
    const inside = perHead(gammas, count, count, (gamma, t, s) => (s <= t ? gamma ** (t - s) : 0));
    return {
      scores: (query, key) => tf.mul(tf.matMul(query, tf.transpose(key, [0, 1, 3, 2])), inside),
      sinceStart: perHead(gammas, count, 1, (gamma, t) => gamma ** (t + 1)),
      untilEnd: perHead(gammas, count, 1, (gamma, t) => gamma ** (count - 1 - t)),
      whole: perHead(gammas, 1, 1, (gamma) => gamma ** count),
    };
  };
}

/** Constants that depend on a head's decay: [1, heads, rows, columns]. */
function perHead(
  gammas: readonly number[],
  rows: number,
  columns: number,
  value: (gamma: number, row: number, column: number) => number,
): tf.Tensor {
  const values = gammas.flatMap((gamma) =>
    Array.from({ length: rows * columns }, (_, index) =>
      value(gamma, Math.floor(index / columns), index % columns),
    ),
  );
  return tf.tensor4d(Float32Array.from(values), [1, gammas.length, rows, columns]);
}

/** One number per head and token. @param logarithms of the decays, <= 0, [batch, heads, time, 1] */
export function headDecay(logarithms: tf.Tensor): Decay {
  return (from, count) => {
    const { inside, sinceStart, untilEnd, whole } = headFading(tokens(logarithms, from, count));
    return {
      scores: (query, key) => tf.mul(tf.matMul(query, tf.transpose(key, [0, 1, 3, 2])), inside),
      sinceStart,
      untilEnd,
      whole,
    };
  };
}

/**
 * The fading of one chunk whose decays are one number per head and token. What lies between two tokens is summed as it
 * stands, by a product with triangles of ones: differences of running sums lose their digits where a head once forgot much.
 * @param logarithms of the decays, <= 0, [batch, heads, count, 1]
 * @returns `inside`: left at t of what came at s <= t, and 0 for later ones, [batch, heads, count, count]; the others as in `Fading`
 */
export function headFading(
  logarithms: tf.Tensor,
): Pick<Fading, 'sinceStart' | 'untilEnd' | 'whole'> & { readonly inside: tf.Tensor } {
  const [batch, heads, count] = logarithms.shape as [number, number, number];
  const past = lowerTriangle(count, 0);
  const between = tf.matMul(past, tf.mul(logarithms, lowerTriangle(count, 1)));
  const inside = tf.mul(tf.exp(between), past);
  const sinceStart = tf.exp(cumulativeSum(logarithms, 2));
  return {
    inside,
    sinceStart,
    untilEnd: tf.reshape(tokens(inside, count - 1, 1), [batch, heads, count, 1]),
    whole: tokens(sinceStart, count - 1, 1),
  };
}

/** Ones where column <= row - distance, [count, count]. */
export function lowerTriangle(count: number, distance: 0 | 1): tf.Tensor {
  const values = Float32Array.from({ length: count * count }, (_, index) =>
    Number(index % count <= Math.floor(index / count) - distance),
  );
  return tf.tensor2d(values, [count, count]);
}

/** The least logarithm of a decay over one token for which exponentials from the middle of a chunk of 64 are in range. */
export const LEAST_LOGARITHM = -2.5;

/**
 * One number per head, token and channel of the keys. The product of two exponentials, from the middle of a chunk to t and
 * from s to the middle, stands for each decay from s to t, so that scores are one matrix product (Yang et al. 2024, eq. 3).
 * @param logarithms of the decays, from `LEAST_LOGARITHM` to 0, [batch, heads, time, key width]
 */
export function channelDecay(logarithms: tf.Tensor): Decay {
  return (from, count) => {
    const sums = cumulativeSum(tokens(logarithms, from, count), 2);
    const [middle, last] = [tokens(sums, count >> 1, 1), tokens(sums, count - 1, 1)];
    const fromMiddle = tf.sub(sums, middle);
    return {
      scores(query, key) {
        const [q, k] = [tf.mul(query, tf.exp(fromMiddle)), tf.mul(key, tf.exp(tf.neg(fromMiddle)))];
        const products = tf.matMul(q, tf.transpose(k, [0, 1, 3, 2]));
        // A choice and no product with zero: what stands for the future may be infinite.
        return tf.where(tf.cast(lowerTriangle(count, 0), 'bool'), products, tf.zerosLike(products));
      },
      sinceStart: tf.exp(sums),
      untilEnd: tf.exp(tf.sub(last, sums)),
      whole: tf.transpose(tf.exp(last), [0, 1, 3, 2]),
    };
  };
}
