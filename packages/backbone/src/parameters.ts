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

/** What a low-rank adapter adds to some of the outputs of an affine map: scale · B A x (Hu et al. 2021). */
export type LowRankUpdate<T = tf.Tensor> = {
  /** First of the outputs that it adds to, in order, and how many they are. */
  readonly row: number;
  readonly rows: number;
  readonly scale: number;
  /** `[rank, in]` */
  readonly a: T;
  /** `[rows, rank]` */
  readonly b: T;
};

/** An affine map: weight `[out, in]`, bias `[out]`, and adapters in order of their rows. */
export type Affine<T = tf.Tensor, M = T> = {
  readonly weight: M;
  readonly bias?: T | undefined;
  readonly adapters?: readonly LowRankUpdate<T>[] | undefined;
};
/** Gain and, for LayerNorm, bias of a normalisation, as wide as what it normalises. */
export type Norm<T = tf.Tensor> = { readonly gain: T; readonly bias?: T | undefined };

export type BlockParameters<T = tf.Tensor, M = T> = {
  readonly attentionNorm: Norm<T>;
  /** Rows: all query heads, then all key heads, then all value heads. `[(heads + 2 keyValueHeads) · headWidth, modelWidth]` */
  readonly queryKeyValue: Affine<T, M>;
  /** Of every query head and of every key head, `[headWidth]`. */
  readonly queryNorm?: Norm<T> | undefined;
  readonly keyNorm?: Norm<T> | undefined;
  /** `[modelWidth, heads · headWidth]` */
  readonly output: Affine<T, M>;
  /** Of what the attention adds. */
  readonly outputNorm?: Norm<T> | undefined;
  readonly mlpNorm: Norm<T>;
  /** `[mlpWidth, modelWidth]`; gated: the gate's rows, then the value's rows, `[2 mlpWidth, modelWidth]`. */
  readonly up: Affine<T, M>;
  /** `[modelWidth, mlpWidth]` */
  readonly down: Affine<T, M>;
  /** Of what the MLP adds. */
  readonly downNorm?: Norm<T> | undefined;
};

/** All weights of a decoder. On the host `T` is `NDArray`; `M` is the kind of matrices. */
export type TransformerParameters<T = tf.Tensor, M = T> = {
  /** `[vocabSize, modelWidth]` */
  readonly tokenEmbedding: M;
  /** `[context, modelWidth]` */
  readonly positionEmbedding?: T | undefined;
  readonly blocks: readonly BlockParameters<T, M>[];
  readonly norm: Norm<T>;
  /** `[vocabSize, modelWidth]`; absent when the token embedding is the head. */
  readonly head?: { readonly weight: M } | undefined;
};

/** What a weight does; its first value follows from it. `residual` projects into the residual stream. */
export type WeightRole = 'weight' | 'residual' | 'gain' | 'bias';

/** Makes a parameter from its shape; the path is its place in the tree, as `blocks.0.up.weight`. */
export type MakeParameter<T> = (shape: readonly number[], role: WeightRole, path: string) => T;

/** The parameters of a model, each made from its shape. */
export const makeParameters = <T>(
  config: TransformerConfig,
  make: MakeParameter<T>,
): TransformerParameters<T> => makeWithMatrices(config, make, make);

/** The same with matrices made otherwise than all else: those that are multiplied with, and the embedding table. */
export function makeWithMatrices<T, M>(
  config: TransformerConfig,
  make: MakeParameter<T>,
  makeMatrix: MakeParameter<M>,
): TransformerParameters<T, M> {
  const { vocabSize, context, layers, heads, keyValueHeads, modelWidth, headWidth, mlpWidth } = config;
  const affine = (
    path: string,
    outputs: number,
    inputs: number,
    biased: boolean,
    role: WeightRole = 'weight',
  ): Affine<T, M> => ({
    weight: makeMatrix([outputs, inputs], role, `${path}.weight`),
    bias: biased ? make([outputs], 'bias', `${path}.bias`) : undefined,
  });
  const norm = (path: string, width = modelWidth, biased = config.norm === 'layer'): Norm<T> => ({
    gain: make([width], 'gain', `${path}.gain`),
    bias: biased ? make([width], 'bias', `${path}.bias`) : undefined,
  });
  const headNorm = (path: string) => (config.queryKeyNorm ? norm(path, headWidth, false) : undefined);
  const branchNorm = (path: string) => (config.sandwichNorms ? norm(path) : undefined);
  const packed = (heads + 2 * keyValueHeads) * headWidth;
  const upWidth = isGated(config) ? 2 * mlpWidth : mlpWidth;
  const block = (layer: number): BlockParameters<T, M> => {
    const at = (name: string) => `blocks.${layer}.${name}`;
    return {
      attentionNorm: norm(at('attentionNorm')),
      queryKeyValue: affine(at('queryKeyValue'), packed, modelWidth, config.queryKeyValueBias),
      queryNorm: headNorm(at('queryNorm')),
      keyNorm: headNorm(at('keyNorm')),
      output: affine(at('output'), modelWidth, heads * headWidth, config.outputBias, 'residual'),
      outputNorm: branchNorm(at('outputNorm')),
      mlpNorm: norm(at('mlpNorm')),
      up: affine(at('up'), upWidth, modelWidth, config.mlpBias),
      down: affine(at('down'), modelWidth, mlpWidth, config.mlpBias, 'residual'),
      downNorm: branchNorm(at('downNorm')),
    };
  };
  const table = (path: string) => makeMatrix([vocabSize, modelWidth], 'weight', path);
  return {
    tokenEmbedding: table('tokenEmbedding'),
    positionEmbedding:
      config.positions === 'learned' ? make([context, modelWidth], 'weight', 'positionEmbedding') : undefined,
    blocks: Array.from({ length: layers }, (_, layer) => block(layer)),
    norm: norm('norm'),
    head: config.tiedHead ? undefined : { weight: table('head.weight') },
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
  return treeLeaves<number>(makeParameters(config, (shape) => sizeOf(shape))).reduce(
    (total, { leaf }) => total + leaf,
    0,
  );
}
