import type { ParameterGroup } from '@palimpsest/lm';
import { full, type NDArray, normalInit, type Rng, sizeOf, type tf, zeros } from '@palimpsest/tensor-core';
import { isGated, type TransformerConfig } from './config.js';

/** An affine map: weight `[out, in]`, bias `[out]`. */
export type Affine<T = tf.Tensor> = { readonly weight: T; readonly bias?: T };
/** Gain and, for LayerNorm, bias of a normalisation, as wide as what it normalises. */
export type Norm<T = tf.Tensor> = { readonly gain: T; readonly bias?: T };

export type BlockParameters<T = tf.Tensor> = {
  readonly attentionNorm: Norm<T>;
  /** Rows: all query heads, then all key heads, then all value heads. `[(heads + 2 keyValueHeads) · headWidth, modelWidth]` */
  readonly queryKeyValue: Affine<T>;
  /** Of every query head and of every key head, `[headWidth]`. */
  readonly queryNorm?: Norm<T>;
  readonly keyNorm?: Norm<T>;
  /** `[modelWidth, heads · headWidth]` */
  readonly output: Affine<T>;
  /** Of what the attention adds. */
  readonly outputNorm?: Norm<T>;
  readonly mlpNorm: Norm<T>;
  /** `[mlpWidth, modelWidth]`; gated: the gate's rows, then the value's rows, `[2 mlpWidth, modelWidth]`. */
  readonly up: Affine<T>;
  /** `[modelWidth, mlpWidth]` */
  readonly down: Affine<T>;
  /** Of what the MLP adds. */
  readonly downNorm?: Norm<T>;
};

/** All weights of a decoder. On the host `T` is `NDArray`. */
export type TransformerParameters<T = tf.Tensor> = {
  /** `[vocabSize, modelWidth]` */
  readonly tokenEmbedding: T;
  /** `[context, modelWidth]` */
  readonly positionEmbedding?: T;
  readonly blocks: readonly BlockParameters<T>[];
  readonly norm: Norm<T>;
  /** `[vocabSize, modelWidth]`; absent when the token embedding is the head. */
  readonly head?: { readonly weight: T };
};

/** Shapes of all weights, in the structure of the parameters. */
export function parameterShapes(config: TransformerConfig): TransformerParameters<readonly number[]> {
  const { vocabSize, context, layers, heads, keyValueHeads, modelWidth, headWidth, mlpWidth } = config;
  const affine = (outputs: number, inputs: number, biased: boolean): Affine<readonly number[]> => ({
    weight: [outputs, inputs],
    ...(biased && { bias: [outputs] }),
  });
  const norm = (): Norm<readonly number[]> => ({
    gain: [modelWidth],
    ...(config.norm === 'layer' && { bias: [modelWidth] }),
  });
  const upWidth = isGated(config) ? 2 * mlpWidth : mlpWidth;
  const block = (): BlockParameters<readonly number[]> => ({
    attentionNorm: norm(),
    queryKeyValue: affine((heads + 2 * keyValueHeads) * headWidth, modelWidth, config.queryKeyValueBias),
    ...(config.queryKeyNorm && { queryNorm: { gain: [headWidth] }, keyNorm: { gain: [headWidth] } }),
    output: affine(modelWidth, heads * headWidth, config.outputBias),
    ...(config.sandwichNorms && { outputNorm: norm() }),
    mlpNorm: norm(),
    up: affine(upWidth, modelWidth, config.mlpBias),
    down: affine(modelWidth, mlpWidth, config.mlpBias),
    ...(config.sandwichNorms && { downNorm: norm() }),
  });
  return {
    tokenEmbedding: [vocabSize, modelWidth],
    ...(config.positions === 'learned' && { positionEmbedding: [context, modelWidth] }),
    blocks: Array.from({ length: layers }, block),
    norm: norm(),
    ...(!config.tiedHead && { head: { weight: [vocabSize, modelWidth] } }),
  };
}

const DEVIATION = 0.02;

/**
 * Fresh weights as in GPT-2: normal with deviation 0.02, projections into the residual stream divided by √(2 layers),
 * gains 1, biases 0.
 */
export function initParameters(config: TransformerConfig, rng: Rng): TransformerParameters<NDArray> {
  const residual = 1 / Math.sqrt(2 * config.layers);
  const fresh = (shape: readonly number[], scale = 1) => normalInit(rng, shape, DEVIATION * scale);
  const affine = (shapes: Affine<readonly number[]>, scale = 1): Affine<NDArray> => ({
    weight: fresh(shapes.weight, scale),
    ...(shapes.bias && { bias: zeros(shapes.bias) }),
  });
  const norm = (shapes: Norm<readonly number[]>): Norm<NDArray> => ({
    gain: full(shapes.gain, 1),
    ...(shapes.bias && { bias: zeros(shapes.bias) }),
  });
  const shapes = parameterShapes(config);
  return {
    tokenEmbedding: fresh(shapes.tokenEmbedding),
    ...(shapes.positionEmbedding && { positionEmbedding: fresh(shapes.positionEmbedding) }),
    blocks: shapes.blocks.map((block) => ({
      attentionNorm: norm(block.attentionNorm),
      queryKeyValue: affine(block.queryKeyValue),
      ...(block.queryNorm && { queryNorm: norm(block.queryNorm) }),
      ...(block.keyNorm && { keyNorm: norm(block.keyNorm) }),
      output: affine(block.output, residual),
      ...(block.outputNorm && { outputNorm: norm(block.outputNorm) }),
      mlpNorm: norm(block.mlpNorm),
      up: affine(block.up),
      down: affine(block.down, residual),
      ...(block.downNorm && { downNorm: norm(block.downNorm) }),
    })),
    norm: norm(shapes.norm),
    ...(shapes.head && { head: { weight: fresh(shapes.head.weight) } }),
  };
}

/** Gains, biases and embeddings are not decayed. */
export const transformerParameterGroups: readonly ParameterGroup[] = [
  { match: /(\.gain|\.bias|^tokenEmbedding|^positionEmbedding)$/, decays: false },
];

/** Number of weights of a model. */
export function parameterCount(config: TransformerConfig): number {
  const count = (node: unknown): number => {
    if (Array.isArray(node) && node.every((item) => typeof item === 'number')) return sizeOf(node);
    return Object.values(node as object).reduce((total: number, child) => total + count(child), 0);
  };
  return count(parameterShapes(config));
}
