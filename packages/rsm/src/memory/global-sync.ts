import { InputError, layerNorm, tf } from '@palimpsest/tensor-core';
import { crossAttention } from '../attention.js';
import type { GlobalSyncParams } from '../parameters.js';

/**
 * The slots attend to the tokens: M + Cross(LN(M), X). Only the queries are normalised.
 * @param tokens [batch, time, d] @param memory [batch, slots, d]
 * @param dropout on the read's output. Default none
 * @returns the new memory.
 */
export function syncMemory(
  params: GlobalSyncParams,
  tokens: tf.Tensor,
  memory: tf.Tensor,
  dropout = (x: tf.Tensor) => x,
): tf.Tensor {
  const normed = layerNorm(memory, params.memoryNorm.gain, params.memoryNorm.bias);
  return tf.add(memory, crossAttention(params.memoryFromTokens, normed, tokens, dropout).output);
}

/**
 * The reference's global sync: the slots attend to the tokens, then the tokens to the new slots.
 * @param tokens [batch, time, d] @param memory [batch, slots, d]
 * @param dropout on both reads' outputs. Default none
 * @throws InputError when the parameters lack the token direction.
 */
export function globalSync(
  params: GlobalSyncParams,
  tokens: tf.Tensor,
  memory: tf.Tensor,
  dropout = (x: tf.Tensor) => x,
): { readonly tokens: tf.Tensor; readonly memory: tf.Tensor } {
  if (!params.tokensFromMemory || !params.tokensNorm) {
    throw new InputError(
      "These sync parameters lack the token direction; build them with syncMode 'parity'.",
    );
  }
  const next = syncMemory(params, tokens, memory, dropout);
  const normed = layerNorm(tokens, params.tokensNorm.gain, params.tokensNorm.bias);
  const read = crossAttention(params.tokensFromMemory, normed, next, dropout).output;
  return { tokens: tf.add(tokens, read), memory: next };
}
