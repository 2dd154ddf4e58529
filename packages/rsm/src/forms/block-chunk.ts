import { tf } from '@palimpsest/tensor-core';
import { type AttentionResult, causalSelfAttention, crossAttention } from '../attention.js';
import { block, sourceOf } from '../block.js';
import type { RsmConfig } from '../config.js';
import type { BlockSite } from '../dropout-source.js';
import { fastGatedUpdate } from '../memory/fast-write.js';
import { foldedCrossAttention } from '../memory/folded-read.js';
import { gatedUpdate } from '../memory/gated-update.js';
import type { BlockParams } from '../parameters.js';

/** The options that decide how a block computes. */
export type BlockConfig = Pick<RsmConfig, 'numHeads'> &
  Partial<Pick<RsmConfig, 'writeSource' | 'updateRule' | 'slidingWindow' | 'positions'>>;

/** How reads and writes are evaluated: as they are written down, or folded, which gives the same numbers. */
export type BlockForm = 'plain' | 'fast';

export interface BlockInput {
  /** [batch, time, d]. */
  readonly x: tf.Tensor;
  /** Memory that the tokens read, [batch, slots, d]. */
  readonly read: tf.Tensor;
  /** Memory that the chunk is written into, [batch, slots, d]; default: the one that is read. */
  readonly write?: tf.Tensor;
  /** [slots, d]. */
  readonly slotIdentity?: tf.Tensor | undefined;
  /** Which tokens are written, float32 [batch, time] of 0 and 1. Default all */
  readonly mask?: tf.Tensor | undefined;
  readonly dropout?: (x: tf.Tensor, site: BlockSite) => tf.Tensor;
}

export interface BlockResult {
  /** [batch, time, d]. */
  readonly output: tf.Tensor;
  /** Memory after the write, [batch, slots, d]. */
  readonly memory: tf.Tensor;
  /** Gate and candidate of the write, [batch, slots, d], or [batch, 1, d] where all slots share them. */
  readonly gate: tf.Tensor;
  readonly candidate: tf.Tensor;
  /** Weights of the memory read, [batch, time, slots]. */
  readonly reads: tf.Tensor;
}

const parts = {
  plain: { readSlots: crossAttention, update: gatedUpdate },
  fast: { readSlots: foldedCrossAttention, update: fastGatedUpdate },
} as const;

/**
 * One block over one chunk, written at its end (DERIVATION.md, "The block"). By default the reference's block in plain form;
 * `config` selects the other wirings.
 */
export function blockOverChunk(
  params: BlockParams,
  input: BlockInput,
  config: BlockConfig,
  form: BlockForm = 'plain',
): BlockResult {
  const { x, read, write = read, slotIdentity, mask, dropout = (value: tf.Tensor) => value } = input;
  const { readSlots, update } = parts[form];
  const slots = slotIdentity ? tf.add(read, slotIdentity) : read;
  let reads: AttentionResult | undefined;
  const streams = block(params, x, {
    attend: (rows) =>
      causalSelfAttention(params.selfAttention, rows, config, (weights) => dropout(weights, 'attention'))
        .output,
    read: (rows) => {
      reads = readSlots(params.memoryRead, rows, slots, (output) => dropout(output, 'read'));
      return reads.output;
    },
    dropout: (hidden) => dropout(hidden, 'mlp'),
  });
  const { updateRule } = config;
  const written = update(params.memoryWrite, sourceOf(config, streams), write, {
    slotIdentity,
    updateRule,
    mask,
  });
  return { output: streams.output, ...written, reads: reads!.weights };
}
