import {
  full,
  type NDArray,
  ndarray,
  orthogonalInit,
  type Rng,
  type tf,
  zeros,
} from '@palimpsest/tensor-core';
import { blockConfig, type OsamConfig } from './config.js';

type Leaf = NDArray | tf.Tensor;

export interface LinearParams<T extends Leaf> {
  readonly weight: T;
  readonly bias: T;
}

export interface NormParams<T extends Leaf> {
  readonly gain: T;
  readonly bias: T;
}

export interface MlpParams<T extends Leaf> {
  readonly norm: NormParams<T>;
  /** Gate of SwiGLU, [hidden, d]; absent for gelu. */
  readonly gate?: { readonly weight: T } | undefined;
  readonly up: { readonly weight: T };
  readonly down: { readonly weight: T };
}

/** Parameters of one block; weights are [out, in]. */
export interface BlockParams<T extends Leaf = tf.Tensor> {
  /** LayerNorm of the block's input, with norm 'pre'. */
  readonly inputNorm?: NormParams<T> | undefined;
  /** Depthwise kernel [width, d]; row 0 meets the current token. */
  readonly convolution?: { readonly weight: T } | undefined;
  readonly query: { readonly weight: T };
  readonly key: { readonly weight: T };
  readonly value: { readonly weight: T };
  /** Raw scalars: theta = 0.5 tanh(raw). */
  readonly thetaQuery: T;
  readonly thetaKey: T;
  /** Raw scalar (0.5 tanh) with omegaMode 'scalar', radians per token [d] with 'channel', absent with 'none'. */
  readonly omega?: T;
  /** Raw scalars: gate = cap sigmoid(raw). */
  readonly gateFeature: T;
  readonly gateValue: T;
  /** Raw [d]: share of the previous input in the keys = sigmoid(raw). */
  readonly keyMix?: T | undefined;
  /** With `writeGate`, [heads, d] and [heads]: share of the value that a head writes = sigmoid(W x + b). */
  readonly writeGate?: LinearParams<T> | undefined;
  /** W_1 [hidden, m], b_1, W_2 [d, hidden], b_2. */
  readonly readout?: { readonly hidden: LinearParams<T>; readonly output: LinearParams<T> } | undefined;
  /** LayerNorm of the value read, P_1 and P_2 [d, d]. */
  readonly valueProjection: {
    readonly norm: NormParams<T>;
    readonly hidden: LinearParams<T>;
    readonly output: LinearParams<T>;
  };
  /** LayerNorm of the residual sum, with norm 'post'. */
  readonly norm?: NormParams<T> | undefined;
  readonly mlp?: MlpParams<T> | undefined;
}

/** Parameters of the whole model. */
export interface OsamParams<T extends Leaf = tf.Tensor> {
  /** [vocabSize, d]. */
  readonly embedding: T;
  readonly blocks: readonly BlockParams<T>[];
  /** LayerNorm before the head, with norm 'pre'. */
  readonly finalNorm?: NormParams<T> | undefined;
  /** [vocabSize, d]; absent when it is tied to the embedding. */
  readonly head?: { readonly weight: T } | undefined;
}

function linearInit(rng: Rng, out: number, into: number): LinearParams<NDArray> {
  const bound = 1 / Math.sqrt(into);
  return {
    weight: rng.uniformArray([out, into], -bound, bound),
    bias: rng.uniformArray([out], -bound, bound),
  };
}

const bare = (rng: Rng, out: number, into: number) => ({
  weight: linearInit(rng, out, into).weight,
});
const normInit = (width: number): NormParams<NDArray> => ({ gain: full([width], 1), bias: zeros([width]) });
const scalar = (value: number) => full([], value);

/** Rotation speeds of the channels, from 0.5 down to 0.002 radians per token, evenly spaced on a logarithmic scale. */
function channelSpeeds(dModel: number): NDArray<'float32'> {
  const step = dModel === 1 ? 0 : (Math.log(0.002) - Math.log(0.5)) / (dModel - 1);
  return ndarray(
    Float32Array.from({ length: dModel }, (_, channel) => Math.exp(Math.log(0.5) + step * channel)),
  );
}

function convolutionInit(rng: Rng, width: number, dModel: number): NDArray<'float32'> {
  const kernel = rng.uniformArray([width, dModel], -0.5 / width, 0.5 / width);
  for (let channel = 0; channel < dModel; channel++) kernel.data[channel]! += 1;
  return kernel;
}

/** Hidden width of the block's MLP. */
export function mlpWidth(config: OsamConfig): number {
  return Math.max(1, Math.round(config.dModel * config.mlpRatio));
}

function mlpInit(rng: Rng, config: OsamConfig): MlpParams<NDArray> {
  const { dModel, mlpKind } = config;
  const hidden = mlpWidth(config);
  return {
    norm: normInit(dModel),
    gate: mlpKind === 'swiglu' ? bare(rng, hidden, dModel) : undefined,
    up: bare(rng, hidden, dModel),
    down: bare(rng, dModel, hidden),
  };
}

/** Heads begin by writing seven eighths of every value. */
const WRITE_GATE_BIAS = 2;

/** Fresh parameters of one block (DERIVATION.md, "Parameters" and "The improved block"). */
export function initBlock(config: OsamConfig, rng: Rng): BlockParams<NDArray> {
  const { dModel: d, sketchDim, readoutHidden, omegaMode, gateInit } = config;
  return {
    inputNorm: config.norm === 'pre' ? normInit(d) : undefined,
    convolution: config.convWidth > 0 ? { weight: convolutionInit(rng, config.convWidth, d) } : undefined,
    query: { weight: orthogonalInit(rng, d, d) },
    key: { weight: orthogonalInit(rng, d, d) },
    value: { weight: orthogonalInit(rng, d, d) },
    thetaQuery: scalar(0.05),
    thetaKey: scalar(0.05),
    ...(omegaMode !== 'none' && { omega: omegaMode === 'scalar' ? scalar(0.02) : channelSpeeds(d) }),
    gateFeature: scalar(gateInit),
    gateValue: scalar(gateInit),
    keyMix: config.keyMix ? zeros([d]) : undefined,
    writeGate: config.writeGate
      ? { weight: zeros([config.heads, d]), bias: full([config.heads], WRITE_GATE_BIAS) }
      : undefined,
    readout: config.featurePath
      ? {
          hidden: linearInit(rng, readoutHidden, sketchDim),
          output: linearInit(rng, d, readoutHidden),
        }
      : undefined,
    valueProjection: { norm: normInit(d), hidden: linearInit(rng, d, d), output: linearInit(rng, d, d) },
    norm: config.norm === 'post' ? normInit(d) : undefined,
    mlp: config.mlpRatio > 0 ? mlpInit(rng, config) : undefined,
  };
}

/** Fresh parameters of a model. The embedding is normal, the head uniform like every linear layer. */
export function initParameters(config: OsamConfig, rng: Rng): OsamParams<NDArray> {
  const { vocabSize, dModel, layers, tieEmbeddings, norm, embeddingInitStd } = config;
  return {
    embedding: rng.normalArray([vocabSize, dModel], 0, embeddingInitStd),
    blocks: Array.from({ length: layers }, (_, block) => initBlock(blockConfig(config, block), rng)),
    finalNorm: norm === 'pre' ? normInit(dModel) : undefined,
    head: tieEmbeddings ? undefined : bare(rng, vocabSize, dModel),
  };
}

/** Number of parameters of a configuration; 2Vd + 5d^2 + 6d + hd(m+1) + d(hd+1) + 5 for the reference's block. */
export function parameterCount(config: OsamConfig): number {
  const { vocabSize, dModel: d, layers, norm, tieEmbeddings } = config;
  let count = vocabSize * d * (tieEmbeddings ? 1 : 2) + (norm === 'pre' ? 2 * d : 0);
  for (let block = 0; block < layers; block++) count += blockParameterCount(blockConfig(config, block));
  return count;
}

function blockParameterCount(config: OsamConfig): number {
  const { dModel: d, sketchDim: m, readoutHidden: hidden } = config;
  const projections = 3 * d * d;
  const valueProjection = 2 * d * d + 4 * d;
  const scalars = 4 + { scalar: 1, channel: d, none: 0 }[config.omegaMode];
  const readout = config.featurePath ? hidden * (m + 1) + d * (hidden + 1) : 0;
  const mlp = config.mlpRatio > 0 ? 2 * d + mlpWidth(config) * d * (config.mlpKind === 'swiglu' ? 3 : 2) : 0;
  const extras =
    config.convWidth * d + (config.keyMix ? d : 0) + (config.writeGate ? config.heads * (d + 1) : 0);
  return projections + valueProjection + 2 * d + scalars + readout + mlp + extras;
}
