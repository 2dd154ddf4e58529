import type { ParameterGroup } from '@palimpsest/lm';
import {
  full,
  type NDArray,
  normalInit,
  type Rng,
  sizeOf,
  type tf,
  treeLeaves,
  zeros,
} from '@palimpsest/tensor-core';
import { isGated, type TransformerConfig } from './config.js';

/** An affine map: weight `[out, in]`, bias `[out]`. */
export type Affine<T = tf.Tensor> = { readonly weight: T; readonly bias?: T | undefined };
/** Gain and, for LayerNorm, bias of a normalisation, as wide as what it normalises. */
export type Norm<T = tf.Tensor> = { readonly gain: T; readonly bias?: T | undefined };

export type BlockParameters<T = tf.Tensor> = {
  readonly attentionNorm: Norm<T>;
  /** Rows: all query heads, then all key heads, then all value heads. `[(heads + 2 keyValueHeads) · headWidth, modelWidth]` */
  readonly queryKeyValue: Affine<T>;
  /** Of every query head and of every key head, `[headWidth]`. */
  readonly queryNorm?: Norm<T> | undefined;
  readonly keyNorm?: Norm<T> | undefined;
  /** `[modelWidth, heads · headWidth]` */
  readonly output: Affine<T>;
  /** Of what the attention adds. */
  readonly outputNorm?: Norm<T> | undefined;
  readonly mlpNorm: Norm<T>;
  /** `[mlpWidth, modelWidth]`; gated: the gate's rows, then the value's rows, `[2 mlpWidth, modelWidth]`. */
  readonly up: Affine<T>;
  /** `[modelWidth, mlpWidth]` */
  readonly down: Affine<T>;
  /** Of what the MLP adds. */
  readonly downNorm?: Norm<T> | undefined;
};

/** All weights of a decoder. On the host `T` is `NDArray`. */
export type TransformerParameters<T = tf.Tensor> = {
  /** `[vocabSize, modelWidth]` */
  readonly tokenEmbedding: T;
  /** `[context, modelWidth]` */
  readonly positionEmbedding?: T | undefined;
  readonly blocks: readonly BlockParameters<T>[];
  readonly norm: Norm<T>;
  /** `[vocabSize, modelWidth]`; absent when the token embedding is the head. */
  readonly head?: { readonly weight: T } | undefined;
};

/** What a weight does; its first value follows from it. `residual` projects into the residual stream. */
export type WeightRole = 'weight' | 'residual' | 'gain' | 'bias';

/** The parameters of a model, each made from its shape. */
export function makeParameters<T>(
  config: TransformerConfig,
  make: (shape: readonly number[], role: WeightRole) => T,
): TransformerParameters<T> {
  const { vocabSize, context, layers, heads, keyValueHeads, modelWidth, headWidth, mlpWidth } = config;
  const affine = (
    outputs: number,
    inputs: number,
    biased: boolean,
    role: WeightRole = 'weight',
  ): Affine<T> => ({
    weight: make([outputs, inputs], role),
    bias: biased ? make([outputs], 'bias') : undefined,
  });
  const norm = (): Norm<T> => ({
    gain: make([modelWidth], 'gain'),
    bias: config.norm === 'layer' ? make([modelWidth], 'bias') : undefined,
  });
  const headNorm = (): Norm<T> | undefined =>
    config.queryKeyNorm ? { gain: make([headWidth], 'gain') } : undefined;
  const branchNorm = () => (config.sandwichNorms ? norm() : undefined);
  const upWidth = isGated(config) ? 2 * mlpWidth : mlpWidth;
  const block = (): BlockParameters<T> => ({
    attentionNorm: norm(),
    queryKeyValue: affine((heads + 2 * keyValueHeads) * headWidth, modelWidth, config.queryKeyValueBias),
    queryNorm: headNorm(),
    keyNorm: headNorm(),
    output: affine(modelWidth, heads * headWidth, config.outputBias, 'residual'),
    outputNorm: branchNorm(),
    mlpNorm: norm(),
    up: affine(upWidth, modelWidth, config.mlpBias),
    down: affine(modelWidth, mlpWidth, config.mlpBias, 'residual'),
    downNorm: branchNorm(),
  });
  return {
    tokenEmbedding: make([vocabSize, modelWidth], 'weight'),
    positionEmbedding: config.positions === 'learned' ? make([context, modelWidth], 'weight') : undefined,
    blocks: Array.from({ length: layers }, block),
    norm: norm(),
    head: config.tiedHead ? undefined : { weight: make([vocabSize, modelWidth], 'weight') },
  };
}

const DEVIATION = 0.02;

/**
 * Fresh weights as in GPT-2: normal with deviation 0.02, projections into the residual stream divided by √(2 layers),
 * gains 1, biases 0.
 */
export function initParameters(config: TransformerConfig, rng: Rng): TransformerParameters<NDArray> {
  const residual = DEVIATION / Math.sqrt(2 * config.layers);
  const fresh: Record<WeightRole, (shape: readonly number[]) => NDArray> = {
    weight: (shape) => normalInit(rng, shape, DEVIATION),
    residual: (shape) => normalInit(rng, shape, residual),
    gain: (shape) => full(shape, 1),
    bias: (shape) => zeros(shape),
  };
  return makeParameters(config, (shape, role) => fresh[role](shape));
}

/** Gains, biases and embeddings are not decayed. */
export const transformerParameterGroups: readonly ParameterGroup[] = [
  { match: /(\.gain|\.bias|^tokenEmbedding|^positionEmbedding)$/, decays: false },
];

/** Number of weights of a model. */
export function parameterCount(config: TransformerConfig): number {
  return treeLeaves<number>(makeParameters(config, sizeOf)).reduce((total, { leaf }) => total + leaf, 0);
}
