import { embedding, linear, tf } from '@palimpsest/tensor-core';
import { type AttentionResult, scaledDotAttention } from '../attention.js';
import { block } from '../block.js';
import { pickRows } from '../forms/chunk.js';
import { gatedUpdate } from '../memory/gated-update.js';
import { firstPositions } from '../positional-encoding.js';
import type { LegacyAttentionParams, LegacyParams } from './parameters.js';

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
  for (const weights of params.blocks) {
    const { localAttention, memoryRead, memoryWrite } = weights;
    const before = slots;
    x = block(weights, x, {
      attend: (rows) => attend(localAttention, rows, rows, later).output,
      read: (rows) => attend(memoryRead, rows, before).output,
    }).output;
    slots = gatedUpdate(memoryWrite, x, slots, { mask }).memory;
  }
  const rows = pickRows(x, at ?? 'all');
  return { logits: linear(rows, params.tokenEmbedding) as tf.Tensor3D, memory: slots };
}
