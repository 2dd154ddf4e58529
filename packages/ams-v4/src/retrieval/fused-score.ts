import { crossEntropy, tf } from '@palimpsest/tensor-core';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';

/** Weights of time, topic and context, softplus of what is trained: `[3]` to `[3]`. */
export const bundleWeights = (raw: tf.Tensor): tf.Tensor => tf.softplus(raw);

/**
 * How well memories fit queries: the weighted sum of the cosines of the three bundles (DERIVATION.md, "Retrieval").
 * @param query unit vectors per bundle, `[..., queries, width]`
 * @param dirn directions of memories per bundle, `[..., memories, width]`
 * @param raw weights before softplus, `[3]`
 * @returns `[..., queries, memories]`
 */
export function fusedScores(
  query: PerBundle<tf.Tensor>,
  dirn: PerBundle<tf.Tensor>,
  raw: tf.Tensor,
): tf.Tensor {
  const weights = tf.split(bundleWeights(raw), 3) as tf.Tensor[];
  const parts = (['time', 'topic', 'ctx'] as const).map((bundle, i) =>
    tf.mul(tf.matMul(query[bundle], dirn[bundle], false, true), weights[i]!),
  );
  return tf.addN(parts);
}

/**
 * Mean cross-entropy of scores over a temperature against the memory that answers each query: every other memory of the session is
 * a negative, outdated ones included.
 * @param scores `[queries, memories]`
 * @param targets int32 `[queries]`
 */
export const retrievalLoss = (scores: tf.Tensor, targets: tf.Tensor, tau: number): tf.Tensor =>
  crossEntropy(tf.div(scores, tau), targets);
