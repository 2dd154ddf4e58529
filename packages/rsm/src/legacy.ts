import { embedding, linear, type NDArray, type Rng, tf } from '@palimpsest/tensor-core';
import { type AttentionResult, scaledDotAttention } from './attention.js';
import { normalise } from './block.js';
import type { RsmConfig } from './config.js';
import { gatedUpdate } from './gated-update.js';
import { pickRows } from './model.js';
import { type GatedUpdateParams, type MatrixParams, type NormParams, normInit } from './parameters.js';
import { firstPositions } from './positional-encoding.js';
import { referenceKey } from './reference-keys.js';

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

/** Parameters of the first-generation model (rsm.md, appendix A). */
export interface LegacyParams<T extends Leaf = tf.Tensor> {
  readonly tokenEmbedding: T;
  /** [1, slots, d]. */
  readonly memoryInit: T;
  readonly blocks: readonly LegacyBlockParams<T>[];
}

/** The sync of the first generation: reads without output projections. */
export interface LegacySyncParams<T extends Leaf = tf.Tensor> {
  readonly memoryToTokens: LegacyAttentionParams<T>;
  readonly tokensToMemory: LegacyAttentionParams<T>;
  readonly tokensNorm: NormParams<T>;
  readonly memoryNorm: NormParams<T>;
}

/** Positions of the first-generation model. */
export const LEGACY_POSITIONS = 1000;

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

function attend(
  params: LegacyAttentionParams,
  x: tf.Tensor,
  y: tf.Tensor,
  mask?: tf.Tensor,
): AttentionResult {
  return scaledDotAttention(
    linear(x, params.query.weight),
    linear(y, params.key.weight),
    linear(y, params.value.weight),
    mask,
  );
}

/** 1 where a query would see a later key, [time, time]. */
function laterKeys(time: number): tf.Tensor2D {
  const values = Float32Array.from({ length: time * time }, (_, index) =>
    Number(index % time > Math.floor(index / time)),
  );
  return tf.tensor2d(values, [time, time]);
}

export interface LegacyChunkOptions {
  /** Which tokens are written, float32 [batch, time] of 0 and 1. Default all */
  readonly mask?: tf.Tensor;
  /** The place of every text whose logits are wanted, int32 [batch]. Default all places */
  readonly at?: tf.Tensor;
}

export interface LegacyChunkResult {
  readonly logits: tf.Tensor3D;
  /** [batch, slots, d]. */
  readonly memory: tf.Tensor;
}

/**
 * One chunk of the first-generation model: blocks thread one memory, and the tied head reads the last output as it is.
 * @param tokens int32 [batch, time]
 * @param memory [batch, slots, d]; default: the learned first memory
 */
export function forwardLegacyChunk(
  params: LegacyParams,
  tokens: tf.Tensor2D,
  memory?: tf.Tensor,
  { mask, at }: LegacyChunkOptions = {},
): LegacyChunkResult {
  const [batch, time] = tokens.shape;
  const later = laterKeys(time);
  let slots = memory ?? tf.tile(params.memoryInit, [batch, 1, 1]);
  let x = tf.add(
    embedding(params.tokenEmbedding, tokens),
    firstPositions(time, params.tokenEmbedding.shape[1]!),
  );
  for (const block of params.blocks) {
    const normed = normalise(x, block.attentionNorm);
    x = tf.add(x, attend(block.localAttention, normed, normed, later).output);
    x = tf.add(x, attend(block.memoryRead, normalise(x, block.readNorm), slots).output);
    const hidden = tf.relu(linear(normalise(x, block.mlpNorm), block.mlp.hidden.weight));
    x = tf.add(x, linear(hidden, block.mlp.output.weight));
    slots = gatedUpdate(block.memoryWrite, x, slots, mask ? { mask } : {}).memory;
  }
  const rows = pickRows(x, at ?? 'all');
  return { logits: linear(rows, params.tokenEmbedding) as tf.Tensor3D, memory: slots };
}

/** The first generation's global sync: M + Cross(LN(M), X), then X + Cross(LN(X), M). */
export function legacySync(
  params: LegacySyncParams,
  tokens: tf.Tensor,
  memory: tf.Tensor,
): { readonly tokens: tf.Tensor; readonly memory: tf.Tensor } {
  const next = tf.add(
    memory,
    attend(params.memoryToTokens, normalise(memory, params.memoryNorm), tokens).output,
  );
  const read = attend(params.tokensToMemory, normalise(tokens, params.tokensNorm), next).output;
  return { tokens: tf.add(tokens, read), memory: next };
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
