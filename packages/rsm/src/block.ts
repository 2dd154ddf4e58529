import { layerNorm, tf } from '@palimpsest/tensor-core';
import { causalSelfAttention, crossAttention } from './attention.js';
import type { RsmConfig } from './config.js';
import type { BlockSite } from './dropout-source.js';
import { fastGatedUpdate } from './fast-write.js';
import { foldedCrossAttention } from './folded-read.js';
import { gatedUpdate } from './gated-update.js';
import { mlp } from './mlp.js';
import type { BlockParams, NormParams } from './parameters.js';

/** The options that decide how a block computes. */
export type BlockConfig = Pick<RsmConfig, 'numHeads'> &
  Partial<Pick<RsmConfig, 'writeSource' | 'updateRule' | 'slidingWindow' | 'positions'>>;

/** How reads and writes are evaluated: as they are written down, or folded (rsm.md 14.2), which gives the same numbers. */
export type BlockForm = 'plain' | 'fast';

export interface BlockInput {
  /** [batch, time, d]. */
  readonly x: tf.Tensor;
  /** Memory that the tokens read, [batch, slots, d]. */
  readonly read: tf.Tensor;
  /** Memory that the chunk is written into, [batch, slots, d]; default: the one that is read. */
  readonly write?: tf.Tensor;
  /** [slots, d]. */
  readonly slotIdentity?: tf.Tensor;
  /** Which tokens are written, float32 [batch, time] of 0 and 1. Default all */
  readonly mask?: tf.Tensor;
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
  /** Weights of the self-attention, [batch, heads, time, time]. */
  readonly attention: tf.Tensor;
  /** Weights of the memory read, [batch, time, slots]. */
  readonly reads: tf.Tensor;
}

/** Layer norm by its parameters. */
export function normalise(x: tf.Tensor, { gain, bias }: NormParams): tf.Tensor {
  return layerNorm(x, gain, bias);
}

/**
 * One block over one chunk (rsm.md 3 and 13): self-attention, memory read, MLP, memory write. By default the reference's
 * block in plain form; `config` selects the other wirings.
 */
export function blockForward(
  params: BlockParams,
  input: BlockInput,
  config: BlockConfig,
  form: BlockForm = 'plain',
): BlockResult {
  const { x, read, write = read, slotIdentity, mask, dropout = (value: tf.Tensor) => value } = input;
  const [readSlots, update] =
    form === 'plain' ? [crossAttention, gatedUpdate] : [foldedCrossAttention, fastGatedUpdate];
  const attended = causalSelfAttention(
    params.selfAttention,
    normalise(x, params.attentionNorm),
    config.numHeads,
    {
      dropout: (weights) => dropout(weights, 'attention'),
      window: config.slidingWindow ?? 0,
      ...(config.positions && { positions: config.positions }),
    },
  );
  const a = tf.add(x, attended.output);
  const slots = slotIdentity ? tf.add(read, slotIdentity) : read;
  const fromMemory = readSlots(params.memoryRead, normalise(a, params.readNorm), slots, (output) =>
    dropout(output, 'read'),
  );
  const h = tf.add(a, fromMemory.output);
  const y = tf.add(
    h,
    mlp(params.mlp, normalise(h, params.mlpNorm), (hidden) => dropout(hidden, 'mlp')),
  );
  const written = update(params.memoryWrite, config.writeSource === 'preRead' ? a : y, write, {
    ...(slotIdentity && { slotIdentity }),
    ...(config.updateRule && { updateRule: config.updateRule }),
    ...(mask && { mask }),
  });
  return { output: y, ...written, attention: attended.weights, reads: fromMemory.weights };
}
