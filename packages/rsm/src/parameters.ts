import { full, type NDArray, type Rng, type tf, zeros } from '@palimpsest/tensor-core';
import { memoryCount, type RsmConfig } from './config.js';

type Leaf = NDArray | tf.Tensor;

/** A matrix [out, in]. */
export interface MatrixParams<T extends Leaf = tf.Tensor> {
  readonly weight: T;
}

/** y = x Wᵀ + b. */
export interface LinearParams<T extends Leaf = tf.Tensor> extends MatrixParams<T> {
  readonly bias: T;
}

/** Gain and bias of a layer norm, [d] each. */
export interface NormParams<T extends Leaf = tf.Tensor> {
  readonly gain: T;
  readonly bias: T;
}

export interface SelfAttentionParams<T extends Leaf = tf.Tensor> {
  /** [3 d, d]: rows of the queries, the keys, the values; head j owns rows j e to (j + 1) e of each. */
  readonly qkv: MatrixParams<T>;
  readonly projection: LinearParams<T>;
}

export interface CrossAttentionParams<T extends Leaf = tf.Tensor> {
  readonly query: MatrixParams<T>;
  readonly key: MatrixParams<T>;
  readonly value: MatrixParams<T>;
  readonly output: LinearParams<T>;
}

export interface MlpParams<T extends Leaf = tf.Tensor> {
  /** [4 d, d]. */
  readonly hidden: LinearParams<T>;
  /** [d, 4 d]. */
  readonly output: LinearParams<T>;
}

export interface GatedUpdateParams<T extends Leaf = tf.Tensor> {
  /** W_g and b_g. */
  readonly gate: LinearParams<T>;
  /** A, what the candidate takes from the memory; absent with updateRule 'linear'. */
  readonly recurrence?: MatrixParams<T>;
  /** B, what the candidate takes from the summary. */
  readonly input: MatrixParams<T>;
  /** Queries and keys of the attention pooling. The bias of the keys has no effect; only the reference's wiring has it. */
  readonly salienceQuery?: LinearParams<T>;
  readonly salienceKey?: MatrixParams<T> & { readonly bias?: T };
}

export interface BlockParams<T extends Leaf = tf.Tensor> {
  readonly attentionNorm: NormParams<T>;
  readonly selfAttention: SelfAttentionParams<T>;
  readonly readNorm: NormParams<T>;
  readonly memoryRead: CrossAttentionParams<T>;
  readonly memoryWrite: GatedUpdateParams<T>;
  readonly mlpNorm: NormParams<T>;
  readonly mlp: MlpParams<T>;
}

export interface GlobalSyncParams<T extends Leaf = tf.Tensor> {
  readonly memoryFromTokens: CrossAttentionParams<T>;
  readonly memoryNorm: NormParams<T>;
  /** The token direction, which would leak the future: with syncMode 'parity' only. */
  readonly tokensFromMemory?: CrossAttentionParams<T>;
  readonly tokensNorm?: NormParams<T>;
}

/** Parameters of the whole model. */
export interface RsmParams<T extends Leaf = tf.Tensor> {
  /** [vocabSize, d]; the head is the same matrix. */
  readonly tokenEmbedding: T;
  /** First memory, [memories, slots, d]. */
  readonly memoryInit: T;
  /** What tells the slots of a block apart, [layers, slots, d]. */
  readonly slotIdentity?: T | undefined;
  readonly blocks: readonly BlockParams<T>[];
  readonly normOut: NormParams<T>;
  readonly sync?: GlobalSyncParams<T> | undefined;
}

/** The diagonal that recurrenceInit 'decayIdentity' starts from. */
const DECAY = 0.9;

type Host = NDArray;

/** Makes the matrices and affine maps of blocks, all from one normal distribution. */
function drawing({ weightInitStd }: Pick<RsmConfig, 'weightInitStd'>, rng: Rng) {
  const matrix = (out: number, into: number): MatrixParams<Host> => ({
    weight: rng.normalArray([out, into], 0, weightInitStd),
  });
  const affine = (out: number, into: number, bias = 0): LinearParams<Host> => ({
    ...matrix(out, into),
    bias: full([out], bias),
  });
  return { matrix, affine };
}

/** A layer norm at its start: gain 1, bias 0. */
export function normInit(width: number): NormParams<NDArray> {
  return { gain: full([width], 1), bias: zeros([width]) };
}

function crossAttention(
  square: () => MatrixParams<Host>,
  output: () => LinearParams<Host>,
): CrossAttentionParams<Host> {
  return { query: square(), key: square(), value: square(), output: output() };
}

function scaledIdentity(width: number): NDArray<'float32'> {
  const result = zeros([width, width]);
  for (let i = 0; i < width; i++) result.data[i * (width + 1)] = DECAY;
  return result as NDArray<'float32'>;
}

/** Whether the keys of the attention pooling have a bias, which never has an effect. */
const keepsDeadBias = ({ memoryRead }: RsmConfig) => memoryRead === 'running';

function initGatedUpdate(config: RsmConfig, rng: Rng): GatedUpdateParams<Host> {
  const { hiddenSize: d, useAttentionPooling, updateRule, gateBiasInit, recurrenceInit } = config;
  const { matrix, affine } = drawing(config, rng);
  return {
    gate: affine(d, d, gateBiasInit),
    ...(updateRule === 'gatedTanh' && {
      recurrence: recurrenceInit === 'normal' ? matrix(d, d) : { weight: scaledIdentity(d) },
    }),
    input: matrix(d, d),
    ...(useAttentionPooling && {
      salienceQuery: affine(d, d),
      salienceKey: keepsDeadBias(config) ? affine(d, d) : matrix(d, d),
    }),
  };
}

/** Fresh parameters of one block (DERIVATION.md, "Parameters at the start"). */
export function initBlock(config: RsmConfig, rng: Rng): BlockParams<Host> {
  const { hiddenSize: d, mlpWidth } = config;
  const { matrix, affine } = drawing(config, rng);
  return {
    attentionNorm: normInit(d),
    selfAttention: { qkv: matrix(3 * d, d), projection: affine(d, d) },
    readNorm: normInit(d),
    memoryRead: crossAttention(
      () => matrix(d, d),
      () => (config.readInit === 'zero' ? { weight: zeros([d, d]), bias: zeros([d]) } : affine(d, d)),
    ),
    memoryWrite: initGatedUpdate(config, rng),
    mlpNorm: normInit(d),
    mlp: { hidden: affine(mlpWidth, d), output: affine(d, mlpWidth) },
  };
}

/** Fresh parameters of a global sync: uniform up to 1 / sqrt(d), as the reference leaves them. */
export function initGlobalSync(
  config: Pick<RsmConfig, 'hiddenSize' | 'syncMode'>,
  rng: Rng,
): GlobalSyncParams<Host> {
  const d = config.hiddenSize;
  const bound = 1 / Math.sqrt(d);
  const square = () => ({ weight: rng.uniformArray([d, d], -bound, bound) });
  const output = () => ({ ...square(), bias: rng.uniformArray([d], -bound, bound) });
  return {
    memoryFromTokens: crossAttention(square, output),
    memoryNorm: normInit(d),
    ...(config.syncMode === 'parity' && {
      tokensFromMemory: crossAttention(square, output),
      tokensNorm: normInit(d),
    }),
  };
}

/** Fresh parameters of a model. */
export function initParameters(config: RsmConfig, rng: Rng): RsmParams<Host> {
  const { vocabSize, hiddenSize: d, numLayers, numMemorySlots: m } = config;
  return {
    tokenEmbedding: rng.normalArray([vocabSize, d], 0, config.embeddingInitStd),
    memoryInit: rng.normalArray([memoryCount(config), m, d], 0, config.memoryInitStd),
    slotIdentity: config.slotIdentity ? rng.normalArray([numLayers, m, d]) : undefined,
    blocks: Array.from({ length: numLayers }, () => initBlock(config, rng)),
    normOut: { ...normInit(d), gain: full([d], config.outputGainInit) },
    sync: config.useGlobalSync ? initGlobalSync(config, rng) : undefined,
  };
}

/**
 * Number of trainable scalars of a configuration, tied weights once. For the reference's wiring: V d + m d + 2 d +
 * L (19 d² + 14 d), with attention pooling L (2 d² + 2 d) more, with a sync 8 d² + 6 d more.
 */
export function parameterCount(config: RsmConfig): number {
  const { vocabSize, hiddenSize: d, mlpWidth: h, numLayers, numMemorySlots: m } = config;
  if (config.preset === 'legacy') return vocabSize * d + m * d + numLayers * (11 * d * d + 7 * d);
  const slots = memoryCount(config) * m * d + (config.slotIdentity ? numLayers * m * d : 0);
  const recurrence = config.updateRule === 'gatedTanh' ? d * d : 0;
  const pooling = config.useAttentionPooling ? 2 * d * d + (keepsDeadBias(config) ? 2 : 1) * d : 0;
  const block = 10 * d * d + 10 * d + h * (2 * d + 1) + recurrence + pooling;
  const directions = config.syncMode === 'parity' ? 2 : 1;
  const sync = config.useGlobalSync ? directions * (4 * d * d + 3 * d) : 0;
  return vocabSize * d + slots + 2 * d + numLayers * block + sync;
}
