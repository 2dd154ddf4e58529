import { linear, softmax, tf } from '@palimpsest/tensor-core';
import type { GatedUpdateParams, LinearParams, MatrixParams } from '../parameters.js';
import {
  type GatedUpdateOptions,
  type GatedUpdateResult,
  hideTokens,
  meanToken,
  poolingSlots,
} from './gated-update.js';

/**
 * Queries of the attention pooling with the keys' projection folded into them (DERIVATION.md, "Fast forms"):
 * (S W_sqᵀ + b_sq) W_sk / sqrt(d). The keys' bias moves all scores of a slot alike and is left out.
 * @param slots [..., slots, d]
 */
export function foldQueries(query: LinearParams, key: MatrixParams, slots: tf.Tensor): tf.Tensor {
  const d = slots.shape.at(-1)!;
  const rows = linear(tf.reshape(slots, [-1, d]), query.weight, query.bias);
  return tf.reshape(tf.matMul(rows, tf.mul(key.weight, 1 / Math.sqrt(d))), slots.shape);
}

/** Gate and the summary's part of the candidate in one product, as wide as the summary. */
export function gateAndInput(
  params: GatedUpdateParams,
  summary: tf.Tensor,
): { gate: tf.Tensor; input: tf.Tensor } {
  const weight = tf.concat([params.gate.weight, params.input.weight], 0);
  const bias = tf.concat([params.gate.bias, tf.zerosLike(params.gate.bias)], 0);
  const [gate, input] = tf.split(linear(summary, weight, bias), 2, -1) as [tf.Tensor, tf.Tensor];
  return { gate: tf.sigmoid(gate), input };
}

/**
 * Writes summaries into the memory. One summary for all slots, [batch, 1, d], is projected once (hoisted).
 * @param summary [batch, 1 or slots, d] @param memory [batch, slots, d]
 */
export function writeSummary(
  params: GatedUpdateParams,
  summary: tf.Tensor,
  memory: tf.Tensor,
): GatedUpdateResult {
  const { gate, input } = gateAndInput(params, summary);
  const candidate = tf.tanh(
    params.recurrence ? tf.add(linear(memory, params.recurrence.weight), input) : input,
  );
  return { memory: tf.add(memory, tf.mul(gate, tf.sub(candidate, memory))), gate, candidate };
}

/** `gatedUpdate` in its fast form: hoisted write and folded pooling. Gates and candidates that all slots share come once. */
export function fastGatedUpdate(
  params: GatedUpdateParams,
  source: tf.Tensor,
  memory: tf.Tensor,
  options: GatedUpdateOptions = {},
): GatedUpdateResult {
  const { salienceQuery, salienceKey } = params;
  if (!salienceQuery || !salienceKey) {
    return writeSummary(params, meanToken(source, options.mask), memory);
  }
  const queries = foldQueries(salienceQuery, salienceKey, poolingSlots(memory, options));
  const scores = tf.matMul(queries, source, false, true);
  return writeSummary(params, tf.matMul(softmax(hideTokens(scores, options.mask)), source), memory);
}
