import { formatShape, InputError, type Matrix, matrixEmbedding, tf } from '@palimpsest/tensor-core';
import type { KeyValuePrefix } from './block.js';
import { slotsOf } from './cache.js';
import type { TransformerConfig } from './config.js';
import type { TransformerParameters } from './parameters.js';

/** What a decoder reads: tokens or embeddings, with whatever stands before them. */
export interface DecoderInput {
  /** int32 `[batch, time]`, each in [0, vocabSize). */
  readonly tokens?: tf.Tensor;
  /** Embeddings in place of tokens, without positions: `[batch, time, modelWidth]`. */
  readonly inputsEmbeds?: tf.Tensor;
  /** Embeddings of slots before the tokens: `[batch, slots, modelWidth]`. They take positions and cache slots as tokens do. */
  readonly softPrefix?: tf.Tensor | undefined;
  /**
   * 1 for tokens, 0 for padding, which nobody sees: `[batch, time]`, or `[batch, slots + time]` with the soft prefix
   * (else the prefix is seen). Default: no padding.
   */
  readonly mask?: tf.Tensor;
  /** int32 `[batch, slots + time]`, increasing: positions of all rows. Default: going on from the state, padding counted. */
  readonly positions?: tf.Tensor;
  /** Per layer: keys and values that every query sees. They take neither positions nor cache slots. */
  readonly layerPrefix?: readonly KeyValuePrefix[];
  /**
   * Per layer, float32 `[batch, 1 or keyValueHeads, slots]`: added to the scores of the entries that are in the cache before
   * this call, whoever attends. Gradients reach it.
   */
  readonly slotBias?: readonly tf.Tensor[];
}

/** All new rows of a call. */
export interface Rows {
  readonly batch: number;
  /** Rows per text, the soft prefix included. */
  readonly time: number;
  /** `[batch, time, modelWidth]` */
  readonly embeddings: tf.Tensor;
  /** bool `[batch, time]`; absent when nothing is padding. */
  readonly mask?: tf.Tensor | undefined;
}

/**
 * Embeds the input.
 * @throws InputError naming the part whose shape does not fit.
 */
export function inputRows(
  config: TransformerConfig,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  input: DecoderInput,
): Rows {
  const { modelWidth, layers } = config;
  const { tokens, inputsEmbeds, softPrefix, layerPrefix, slotBias } = input;
  if ((tokens === undefined) === (inputsEmbeds === undefined)) {
    throw new InputError("A decoder needs either 'tokens' or 'inputsEmbeds', and not both.");
  }
  const text = inputsEmbeds ?? embedTokens(config, parameters, tokens!);
  checkEmbeddings('inputsEmbeds', text, modelWidth);
  if (softPrefix) checkEmbeddings('softPrefix', softPrefix, modelWidth, text.shape[0]);
  if (layerPrefix) checkLayerPrefix(config, layerPrefix, text.shape[0]!, layers);
  if (slotBias) checkSlotBias(config, slotBias, text.shape[0]!);
  const embeddings = softPrefix ? tf.concat([softPrefix, text], 1) : text;
  const [batch, time] = embeddings.shape as [number, number];
  const mask = input.mask && fullMask(input.mask, batch, time, softPrefix?.shape[1] ?? 0);
  return { batch, time, embeddings, mask };
}

/** Token embeddings, scaled; beside sinusoids also by √modelWidth (Vaswani et al. 2017, section 3.4). */
function embedTokens(
  config: TransformerConfig,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  tokens: tf.Tensor,
): tf.Tensor {
  if (tokens.rank !== 2) {
    throw new InputError(`Tokens have the shape [batch, time], but ${formatShape(tokens.shape)} was given.`);
  }
  const rows = matrixEmbedding(parameters.tokenEmbedding, tokens);
  const scale = embeddingFactor(config);
  return scale === 1 ? rows : tf.mul(rows, scale);
}

/** What rows of the embedding table are multiplied by. */
export const embeddingFactor = ({ embeddingScale, positions, modelWidth }: TransformerConfig): number =>
  embeddingScale * (positions === 'sinusoidal' ? Math.sqrt(modelWidth) : 1);

function checkEmbeddings(name: string, x: tf.Tensor, width: number, batch = x.shape[0]): void {
  if (x.rank === 3 && x.shape[2] === width && x.shape[0] === batch) return;
  throw new InputError(
    `'${name}' needs the shape [${batch ?? 'batch'}, time, ${width}], but ${formatShape(x.shape)} was given.`,
  );
}

function checkLayerPrefix(
  { keyValueHeads, headWidth }: TransformerConfig,
  prefix: readonly KeyValuePrefix[],
  batch: number,
  layers: number,
): void {
  if (prefix.length !== layers) {
    throw new InputError(
      `'layerPrefix' needs one entry per layer, ${layers}, but ${prefix.length} were given.`,
    );
  }
  const count = prefix[0]!.keys.shape[2];
  prefix.forEach(({ keys, values }, layer) => {
    const expected = formatShape([batch, keyValueHeads, count!, headWidth]);
    for (const part of [keys, values]) {
      if (formatShape(part.shape) === expected) continue;
      throw new InputError(
        `'layerPrefix' of layer ${layer} needs the shape ${expected}, but ${formatShape(part.shape)} was given.`,
      );
    }
  });
}

function checkSlotBias(config: TransformerConfig, bias: readonly tf.Tensor[], batch: number): void {
  const { layers, keyValueHeads } = config;
  if (bias.length !== layers) {
    throw new InputError(`'slotBias' needs one entry per layer, ${layers}, but ${bias.length} were given.`);
  }
  const shapes = [keyValueHeads, 1].map((heads) => formatShape([batch, heads, slotsOf(config)]));
  bias.forEach(({ shape }, layer) => {
    if (shapes.includes(formatShape(shape))) return;
    throw new InputError(
      `'slotBias' of layer ${layer} needs the shape ${shapes[0]}, but ${formatShape(shape)} was given.`,
    );
  });
}

function fullMask(mask: tf.Tensor, batch: number, time: number, slots: number): tf.Tensor {
  const bool = tf.cast(mask, 'bool');
  const covers = mask.rank === 2 && mask.shape[0] === batch;
  if (covers && mask.shape[1] === time) return bool;
  if (covers && mask.shape[1] === time - slots) {
    return tf.cast(tf.concat([tf.ones([batch, slots], 'int32'), tf.cast(mask, 'int32')], 1), 'bool');
  }
  const shapes = [...new Set([time, time - slots])].map((length) => formatShape([batch, length]));
  throw new InputError(
    `'mask' needs the shape ${shapes.join(' or ')}, but ${formatShape(mask.shape)} was given.`,
  );
}

/**
 * Positions that leave padding out, so that a text behind left padding gets the positions it would have alone:
 * 0 up to the first token, then counting.
 * @param mask 1 for tokens, 0 for padding, `[batch, time]`
 * @returns int32 `[batch, time]`
 */
export function paddedPositions(mask: tf.Tensor): tf.Tensor2D {
  const counted = tf.cumsum(tf.cast(mask, 'float32'), 1);
  return tf.cast(tf.maximum(tf.sub(counted, 1), 0), 'int32') as tf.Tensor2D;
}
