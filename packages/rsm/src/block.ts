import { layerNorm, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from './config.js';
import { type MlpForm, mlp } from './mlp.js';
import type { NormParams } from './parameters.js';

/** The norms and the MLP of a block; every generation of the model has them. */
export interface BlockFrame {
  readonly attentionNorm: NormParams;
  readonly readNorm: NormParams;
  readonly mlpNorm: NormParams;
  readonly mlp: MlpForm;
}

/** What the forms of a block compute each in its own way, from normalised rows [..., d]. */
export interface BlockParts {
  /** Self-attention. */
  attend(rows: tf.Tensor): tf.Tensor;
  /** Memory read. @param attended the stream behind the self-attention, for forms that write before they read */
  read(rows: tf.Tensor, attended: tf.Tensor): tf.Tensor;
  /** On the hidden layer of the MLP. Default none */
  readonly dropout?: (hidden: tf.Tensor) => tf.Tensor;
}

/** The residual stream behind the self-attention and behind the whole block, [..., d] each. */
export interface BlockStreams {
  readonly attended: tf.Tensor;
  readonly output: tf.Tensor;
}

/** Layer norm by its parameters. */
export function normalise(x: tf.Tensor, { gain, bias }: NormParams): tf.Tensor {
  return layerNorm(x, gain, bias);
}

/**
 * The block (DERIVATION.md, "The block"): a = x + attend(LN x), h = a + read(LN a), y = h + mlp(LN h). Whole chunks, all chunks
 * at once, pieces of a chunk and single tokens differ in `attend` and `read` alone. The decoder's two token forms are written
 * out, since there a norm and the sum before it are one node (decoder/graph.ts) or one kernel (decoder/host.ts).
 * @param x [..., d]
 */
export function block(params: BlockFrame, x: tf.Tensor, { attend, read, dropout }: BlockParts): BlockStreams {
  const attended = tf.add(x, attend(normalise(x, params.attentionNorm)));
  const h = tf.add(attended, read(normalise(attended, params.readNorm), attended));
  return { attended, output: tf.add(h, mlp(params.mlp, normalise(h, params.mlpNorm), dropout)) };
}

/** What a block writes into the memory: its output, or the stream that has not read the memory yet. */
export function sourceOf(
  { writeSource }: Partial<Pick<RsmConfig, 'writeSource'>>,
  { attended, output }: BlockStreams,
): tf.Tensor {
  return writeSource === 'preRead' ? attended : output;
}
