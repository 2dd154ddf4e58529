import { stopGradient, tf } from '@palimpsest/tensor-core';
import { isCausal, memoryCount, memoryShape, type RsmConfig } from '../config.js';
import type { RsmParams } from '../parameters.js';

/** The first memory of a batch: [batch, slots, d] when blocks share one, [batch, memories, slots, d] else. */
export function initialMemory(config: RsmConfig, params: RsmParams, batch: number): tf.Tensor {
  const { numMemorySlots: m, hiddenSize: d } = config;
  const first = tf.reshape(params.memoryInit, [1, memoryCount(config), m, d]);
  return tf.reshape(tf.tile(first, [batch, 1, 1, 1]), memoryShape(config, batch));
}

/**
 * The first memory of a text. In the wirings that leak nothing flows back into it, as published: there the memory is detached
 * before every chunk, so that the first one is never trained.
 */
export function firstMemory(config: RsmConfig, params: RsmParams, batch: number): tf.Tensor {
  const first = initialMemory(config, params, batch);
  return isCausal(config) ? first : stopGradient(first);
}

/** The memories of a batch one by one, [batch, slots, d] each. */
export function splitMemory(config: RsmConfig, memory: tf.Tensor): tf.Tensor[] {
  return config.memoryScope === 'shared' ? [memory] : tf.unstack(memory, 1);
}

/** Undoes `splitMemory`. */
export function joinMemory(config: RsmConfig, memories: readonly tf.Tensor[]): tf.Tensor {
  return config.memoryScope === 'shared' ? memories[0]! : tf.stack([...memories], 1);
}

/** The slot identities of the blocks, [slots, d] each; undefined where there are none. */
export function slotIdentities(config: RsmConfig, params: RsmParams): readonly (tf.Tensor | undefined)[] {
  if (params.slotIdentity) return tf.unstack(params.slotIdentity, 0);
  return new Array<undefined>(config.numLayers).fill(undefined);
}
