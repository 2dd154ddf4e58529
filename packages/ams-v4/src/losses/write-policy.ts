import { tf } from '@palimpsest/tensor-core';

const SHORT_TEXT = 3;
const SHORT_WEIGHT = 0.01;

/** Share of the texts that have fewer than three tokens. */
export const shortShare = (texts: readonly ArrayLike<number>[]): number =>
  texts.filter(({ length }) => length < SHORT_TEXT).length / texts.length;

/** Fibers shorter than 1, mean over rows and bundles, and 0.01 times the share of short texts. @param lengths `[rows, 3]` */
export function writePolicy(lengths: tf.Tensor, share: tf.Tensor): tf.Tensor {
  return tf.add(tf.mean(tf.relu(tf.sub(1, lengths))), tf.mul(share, SHORT_WEIGHT));
}
