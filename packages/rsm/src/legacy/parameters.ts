import type { NDArray, Rng, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { type GatedUpdateParams, type MatrixParams, type NormParams, normInit } from '../parameters.js';
import { referenceKey } from '../reference-keys.js';

type Leaf = NDArray | tf.Tensor;

/** Attention of one head over the full width, without an output projection. */
export interface LegacyAttentionParams<T extends Leaf = tf.Tensor> {
  readonly query: MatrixParams<T>;
  readonly key: MatrixParams<T>;
  readonly value: MatrixParams<T>;
}

export interface LegacyBlockParams<T extends Leaf = tf.Tensor> {
  readonly attentionNorm: NormParams<T>;
  readonly localAttention: LegacyAttentionParams<T>;
  readonly readNorm: NormParams<T>;
  readonly memoryRead: LegacyAttentionParams<T>;
  readonly memoryWrite: GatedUpdateParams<T>;
  readonly mlpNorm: NormParams<T>;
  /** Both [d, d], without biases. */
  readonly mlp: { readonly hidden: MatrixParams<T>; readonly output: MatrixParams<T> };
}

/** Parameters of the first-generation model (DERIVATION.md, "First generation"). */
export interface LegacyParams<T extends Leaf = tf.Tensor> {
  readonly tokenEmbedding: T;
  /** [1, slots, d]. */
  readonly memoryInit: T;
  readonly blocks: readonly LegacyBlockParams<T>[];
}

/** Fresh parameters: matrices uniform up to 1 / sqrt(d), A = 0.9 I, the embedding N(0, 1). */
export function initLegacy(config: RsmConfig, rng: Rng): LegacyParams<NDArray> {
  const { vocabSize, hiddenSize: d, numLayers, numMemorySlots, embeddingInitStd, memoryInitStd } = config;
  const bound = 1 / Math.sqrt(d);
  const square = () => ({ weight: rng.uniformArray([d, d], -bound, bound) });
  const attention = () => ({ query: square(), key: square(), value: square() });
  return {
    tokenEmbedding: rng.normalArray([vocabSize, d], 0, embeddingInitStd),
    memoryInit: rng.normalArray([1, numMemorySlots, d], 0, memoryInitStd),
    blocks: Array.from({ length: numLayers }, () => ({
      attentionNorm: normInit(d),
      localAttention: attention(),
      readNorm: normInit(d),
      memoryRead: attention(),
      memoryWrite: {
        gate: { ...square(), bias: rng.uniformArray([d], -bound, bound) },
        recurrence: square(),
        input: square(),
      },
      mlpNorm: normInit(d),
      mlp: { hidden: square(), output: square() },
    })),
  };
}

const letters = { q_proj: 'Q', k_proj: 'K', v_proj: 'V' } as const;

/** The reference's name of a first-generation parameter. */
export function legacyReferenceKey(path: string): string {
  return referenceKey(path.replace(/\blocalAttention\b/, 'local_attention'))
    .replace(/\b[qkv]_proj\b/, (name) => letters[name as keyof typeof letters])
    .replace('mlp.fc1', 'mlp.layer1')
    .replace('mlp.fc2', 'mlp.layer2')
    .replace('memoryToTokens', 'memory_to_tokens')
    .replace('tokensToMemory', 'tokens_to_memory');
}
