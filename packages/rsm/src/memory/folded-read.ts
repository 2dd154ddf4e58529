import { linear, softmax, tf } from '@palimpsest/tensor-core';
import type { AttentionResult } from '../attention.js';
import type { CrossAttentionParams } from '../parameters.js';

/** Slots with the read's projections folded into them: K' = (M W_kᵀ) W_q / sqrt(d) and V' = (M W_vᵀ) W_oᵀ, [..., slots, d]. */
export interface FoldedSlots {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/**
 * Folds the four projections of a memory read into the slots (DERIVATION.md, "Fast forms"), which are fewer than the tokens.
 * @param slots [..., slots, d]
 */
export function foldRead(params: CrossAttentionParams, slots: tf.Tensor): FoldedSlots {
  const d = slots.shape.at(-1)!;
  const rows = tf.reshape(slots, [-1, d]);
  const keys = tf.matMul(linear(rows, params.key.weight), tf.mul(params.query.weight, 1 / Math.sqrt(d)));
  const values = linear(linear(rows, params.value.weight), params.output.weight);
  return { keys: tf.reshape(keys, slots.shape), values: tf.reshape(values, slots.shape) };
}

/**
 * Reads folded slots: softmax(x K'ᵀ) V' + b, which equals `crossAttention`.
 * @param x [..., time, d]
 * @param bias of the output projection, [d]
 */
export function readFolded(
  x: tf.Tensor,
  slots: FoldedSlots,
  bias: tf.Tensor,
  dropout = (output: tf.Tensor) => output,
): AttentionResult {
  const weights = softmax(tf.matMul(x, slots.keys, false, true));
  return { output: dropout(tf.add(tf.matMul(weights, slots.values), bias)), weights };
}

/** `crossAttention` in its folded form. */
export function foldedCrossAttention(
  params: CrossAttentionParams,
  x: tf.Tensor,
  y: tf.Tensor,
  dropout?: (output: tf.Tensor) => tf.Tensor,
): AttentionResult {
  return readFolded(x, foldRead(params, y), params.output.bias, dropout);
}
