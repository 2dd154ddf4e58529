import { InputError, linear, tf } from '@palimpsest/tensor-core';
import { scaledDotAttention } from './attention.js';
import type { GatedUpdateParams } from './parameters.js';

export interface GatedUpdateOptions {
  /** What tells the slots apart, [slots, d]; added to the memory that the pooling's queries see. */
  readonly slotIdentity?: tf.Tensor;
  /** 'linear' takes neither the queries nor the candidate from the memory. Default 'gatedTanh' */
  readonly updateRule?: 'gatedTanh' | 'linear';
}

export interface GatedUpdateResult {
  /** The memory after the write, [batch, slots, d]. */
  readonly memory: tf.Tensor;
  /** Summary U, gate G and candidate Z, [batch, slots, d] each. */
  readonly summary: tf.Tensor;
  readonly gate: tf.Tensor;
  readonly candidate: tf.Tensor;
}

/**
 * Rewrites the slots with a summary of a chunk (rsm.md 3 and 13): M' = M + G (Z - M) with G = sigmoid(U W_gᵀ + b_g) and
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
  if (source.shape[1] === 0) {
    throw new InputError('A memory is written from at least one token, but the chunk is empty.');
  }
  const summary = pool(params, source, memory, options);
  const gate = tf.sigmoid(linear(summary, params.gate.weight, params.gate.bias));
  const input = linear(summary, params.input.weight);
  const candidate = tf.tanh(
    params.recurrence ? tf.add(linear(memory, params.recurrence.weight), input) : input,
  );
  return { memory: tf.add(memory, tf.mul(gate, tf.sub(candidate, memory))), summary, gate, candidate };
}

/** One summary per slot, [batch, slots, d]. */
function pool(
  params: GatedUpdateParams,
  source: tf.Tensor,
  memory: tf.Tensor,
  { slotIdentity, updateRule = 'gatedTanh' }: GatedUpdateOptions,
): tf.Tensor {
  const { salienceQuery, salienceKey } = params;
  if (!salienceQuery || !salienceKey) {
    return tf.add(tf.mean(source, 1, true), tf.zerosLike(memory));
  }
  const slots =
    updateRule === 'gatedTanh'
      ? slotIdentity
        ? tf.add(memory, slotIdentity)
        : memory
      : tf.add(slotIdentity ?? tf.zeros(memory.shape.slice(1)), tf.zerosLike(memory));
  const queries = linear(slots, salienceQuery.weight, salienceQuery.bias);
  const keys = linear(source, salienceKey.weight, salienceKey.bias);
  return scaledDotAttention(queries, keys, source).output;
}
