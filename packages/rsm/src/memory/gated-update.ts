import { InputError, linear, MASKED, softmax, tf } from '@palimpsest/tensor-core';
import type { GatedUpdateParams } from '../parameters.js';

export interface GatedUpdateOptions {
  /** What tells the slots apart, [slots, d]; added to the memory that the pooling's queries see. */
  readonly slotIdentity?: tf.Tensor | undefined;
  /** 'linear' takes neither the queries nor the candidate from the memory. Default 'gatedTanh' */
  readonly updateRule?: 'gatedTanh' | 'linear' | undefined;
  /** Which tokens count, float32 [batch, time] of 0 and 1, at least one in every row. Default all */
  readonly mask?: tf.Tensor | undefined;
}

export interface GatedUpdateResult {
  /** The memory after the write, [batch, slots, d]. */
  readonly memory: tf.Tensor;
  /** Gate G and candidate Z, [batch, slots, d] each. */
  readonly gate: tf.Tensor;
  readonly candidate: tf.Tensor;
}

/**
 * Rewrites the slots with a summary of a chunk (DERIVATION.md, "The memory write"): M' = M + G (Z - M) with G = sigmoid(U W_gᵀ + b_g) and
 * Z = tanh(M Aᵀ + U Bᵀ), where U is the mean of the chunk, or what each slot's attention picks from it.
 * @param source [batch, time, d]
 * @param memory [batch, slots, d]
 * @throws InputError for a chunk without tokens.
 */
export function gatedUpdate(
  params: GatedUpdateParams,
  source: tf.Tensor,
  memory: tf.Tensor,
  options: GatedUpdateOptions = {},
): GatedUpdateResult {
  const summary = summarise(params, source, memory, options);
  const gate = tf.sigmoid(linear(summary, params.gate.weight, params.gate.bias));
  const input = linear(summary, params.input.weight);
  const candidate = tf.tanh(
    params.recurrence ? tf.add(linear(memory, params.recurrence.weight), input) : input,
  );
  return { memory: tf.add(memory, tf.mul(gate, tf.sub(candidate, memory))), gate, candidate };
}

/** One summary per slot, [batch, slots, d]. */
function summarise(
  params: GatedUpdateParams,
  source: tf.Tensor,
  memory: tf.Tensor,
  options: GatedUpdateOptions,
): tf.Tensor {
  const { salienceQuery, salienceKey } = params;
  if (!salienceQuery || !salienceKey) return tf.add(meanToken(source, options.mask), tf.zerosLike(memory));
  checkTokens(source);
  const queries = linear(poolingSlots(memory, options), salienceQuery.weight, salienceQuery.bias);
  const keys = linear(source, salienceKey.weight, salienceKey.bias);
  const scores = tf.mul(tf.matMul(queries, keys, false, true), 1 / Math.sqrt(source.shape[2]!));
  return tf.matMul(softmax(hideTokens(scores, options.mask)), source);
}

/**
 * Mean of the tokens that count, [batch, 1, d].
 * @throws InputError for a chunk without tokens.
 */
export function meanToken(source: tf.Tensor, mask?: tf.Tensor): tf.Tensor {
  checkTokens(source);
  if (!mask) return tf.mean(source, 1, true);
  const share = tf.div(mask, tf.sum(mask, 1, true));
  return tf.sum(tf.mul(source, tf.expandDims(share, 2)), 1, true);
}

/** What the pooling's queries are made of, [batch, slots, d]. */
export function poolingSlots(
  memory: tf.Tensor,
  { slotIdentity, updateRule = 'gatedTanh' }: GatedUpdateOptions,
): tf.Tensor {
  if (updateRule === 'linear') {
    return tf.add(slotIdentity ?? tf.zeros(memory.shape.slice(1)), tf.zerosLike(memory));
  }
  return slotIdentity ? tf.add(memory, slotIdentity) : memory;
}

/** Takes tokens that do not count out of scores [batch, slots, time]. */
export function hideTokens(scores: tf.Tensor, mask?: tf.Tensor): tf.Tensor {
  return mask ? tf.add(scores, tf.mul(tf.expandDims(tf.sub(1, mask), 1), MASKED)) : scores;
}

function checkTokens(source: tf.Tensor): void {
  if (source.shape[1] !== 0) return;
  throw new InputError('A memory is written from at least one token, but the chunk is empty.');
}
