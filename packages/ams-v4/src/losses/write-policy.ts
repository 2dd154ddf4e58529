import { tf } from '@palimpsest/tensor-core';
import type { Coordinates } from '../model/adapters.js';

const SHORT_TEXT = 3;
const SHORT_WEIGHT = 0.01;

/** Share of the texts that have fewer than three tokens. */
export const shortShare = (texts: readonly ArrayLike<number>[]): number =>
  texts.filter(({ length }) => length < SHORT_TEXT).length / texts.length;

/** Fibers shorter than 1, mean over rows and bundles, and 0.01 times the share of short texts. */
export function writePolicy({ time, topic, ctx }: Coordinates, share: tf.Tensor): tf.Tensor {
  const lack = [time, topic, ctx].map(({ fiber }) =>
    tf.mean(tf.relu(tf.sub(1, tf.sqrt(tf.sum(tf.square(fiber), 1))))),
  );
  return tf.add(tf.div(tf.addN(lack), lack.length), tf.mul(share, SHORT_WEIGHT));
}
