import { tf } from '@palimpsest/tensor-core';
import { memoryCount, type RsmConfig } from './config.js';

/** What to watch in training, all scalars. */
export type RsmTelemetry = Readonly<{
  /** Mean gate of all writes, if there are any: the share of a slot that a chunk replaces. */
  gateMean?: tf.Tensor;
  /** Mean Frobenius norm of a memory. */
  memoryNorm: tf.Tensor;
  /** Mean participation ratio of the slots: 1 when all hold one vector, up to the number of slots. */
  slotRank: tf.Tensor;
}>;

/**
 * Participation ratio (sum s²)² / sum s⁴ of the singular values s of slots, from their Gram matrix.
 * @param memory [..., slots, d]
 * @returns [...]
 */
export function participationRatio(memory: tf.Tensor): tf.Tensor {
  const gram = tf.matMul(memory, memory, false, true);
  const trace = tf.sum(tf.square(memory), [-2, -1]);
  return tf.div(tf.square(trace), tf.add(tf.sum(tf.square(gram), [-2, -1]), 1e-30));
}

/** @param memory as `memoryShape` says @param gates of all writes */
export function rsmTelemetry(
  config: RsmConfig,
  memory: tf.Tensor,
  gates: readonly tf.Tensor[],
): RsmTelemetry {
  const { numMemorySlots, hiddenSize } = config;
  const slots = tf.reshape(memory, [-1, memoryCount(config), numMemorySlots, hiddenSize]);
  const means = gates.map((gate) => tf.mean(gate));
  return {
    ...(means.length > 0 && { gateMean: tf.mean(tf.stack(means)) }),
    memoryNorm: tf.mean(tf.sqrt(tf.sum(tf.square(slots), [-2, -1]))),
    slotRank: tf.mean(participationRatio(slots)),
  };
}
