import {
  addLayerNorm,
  addRmsNorm,
  embedding,
  layerNorm,
  type Matrix,
  matrixEmbedding,
  matrixLinear,
  tf,
} from '@palimpsest/tensor-core';
import { activate } from './block.js';
import type { LayerCache } from './cache.js';
import type { TransformerConfig } from './config.js';
import {
  fusedAttention,
  fusedLinear,
  fusedRmsNorm,
  fusedSiluGate,
  type Lengths,
  lastRow,
} from './fused-ops.js';
import { embeddingFactor } from './input-rows.js';
import type { Affine, BlockParameters, Norm, TransformerParameters } from './parameters.js';
import type { Angles } from './position-angles.js';

/** What one call of the fused form reads beside weights and cache. */
export interface FusedRows<T = tf.Tensor> {
  /** int32 `[1, time]` */
  readonly tokens: T;
  /** int32 `[1, time]`, for learned positions */
  readonly positions?: T | undefined;
}

/** Angles of all positions that the cache has slots for: of most layers, and of local ones where they differ. */
export interface FusedAngles<T = tf.Tensor> {
  readonly rotary?: { readonly cos: T; readonly sin: T } | undefined;
  readonly localRotary?: { readonly cos: T; readonly sin: T } | undefined;
}

export interface FusedResult {
  /** `[1, 1, vocabSize]`, of the last row */
  readonly logits: tf.Tensor;
  readonly layers: readonly LayerCache[];
}

type AnyAffine = Affine<tf.Tensor, Matrix>;
type AnyBlock = BlockParameters<tf.Tensor, Matrix>;

/**
 * New rows of one text behind a cache whose slot is the position, in the largest nodes that ONNX Runtime has: about ten per
 * layer, none of which depends on the number of rows or slots. It gives what `runDecoder` does, but for rounding.
 */
export function runFused(
  config: TransformerConfig,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  rows: FusedRows,
  lengths: Lengths,
  slots: tf.Tensor,
  angles: FusedAngles,
  layers: readonly LayerCache[],
): FusedResult {
  let sum = embed(config, parameters, rows);
  const first = parameters.blocks[0]!.attentionNorm;
  let normal = norm(sum, first, config);
  const caches = layers.map((cache, layer): LayerCache => {
    const block = parameters.blocks[layer]!;
    const following = parameters.blocks[layer + 1]?.attentionNorm ?? parameters.norm;
    const { read, ...next } = attention(
      config,
      block,
      normal,
      cache,
      { lengths, slots },
      layerAngles(config, angles, layer),
      layer,
    );
    const attended = branch(config, sum, affine(read, block.output), block.outputNorm, block.mlpNorm);
    const raised = affine(attended.normal, block.up);
    const hidden = config.activation === 'swiglu' ? fusedSiluGate(raised) : activate(raised, config);
    ({ normal, sum } = branch(config, attended.sum, affine(hidden, block.down), block.downNorm, following));
    return next;
  });
  const head = parameters.head?.weight ?? parameters.tokenEmbedding;
  return { logits: affine(lastRow(normal), { weight: head }), layers: caches };
}

function embed(
  config: TransformerConfig,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  { tokens, positions }: FusedRows,
): tf.Tensor {
  const scale = embeddingFactor(config);
  const plain = matrixEmbedding(parameters.tokenEmbedding, tokens);
  const scaled = scale === 1 ? plain : tf.mul(plain, scale);
  return positions ? tf.add(scaled, embedding(parameters.positionEmbedding!, positions)) : scaled;
}

const affine = (x: tf.Tensor, { weight, bias }: AnyAffine): tf.Tensor =>
  weight instanceof tf.Tensor ? fusedLinear(x, weight, bias) : matrixLinear(x, weight, bias);

const norm = (x: tf.Tensor, { gain, bias }: Norm, { normEpsilon }: TransformerConfig): tf.Tensor =>
  bias ? layerNorm(x, gain, bias, normEpsilon) : fusedRmsNorm(x, gain, normEpsilon);

/** The residual stream after a branch, and its norm for the next one. */
function branch(
  config: TransformerConfig,
  x: tf.Tensor,
  added: tf.Tensor,
  own: Norm | undefined,
  { gain, bias }: Norm,
): { normal: tf.Tensor; sum: tf.Tensor } {
  const { normEpsilon: epsilon } = config;
  const term = own ? norm(added, own, config) : added;
  return bias ? addLayerNorm(x, term, gain, bias, { epsilon }) : addRmsNorm(x, term, gain, epsilon);
}

function layerAngles(
  { localLayers, unrotatedLayers }: TransformerConfig,
  { rotary, localRotary }: FusedAngles,
  layer: number,
): Angles | undefined {
  if (unrotatedLayers.includes(layer)) return undefined;
  return (localLayers.includes(layer) && localRotary) || rotary;
}

function attention(
  config: TransformerConfig,
  block: AnyBlock,
  normal: tf.Tensor,
  cache: LayerCache,
  { lengths, slots }: { readonly lengths: Lengths; readonly slots: tf.Tensor },
  angles: Angles | undefined,
  layer: number,
): { read: tf.Tensor; keys: tf.Tensor; values: tf.Tensor } {
  const { heads, keyValueHeads, headWidth, attentionScale: scale, localLayers, localWindow } = config;
  const packed = affine(normal, block.queryKeyValue);
  const reach = localLayers.includes(layer) ? localWindow : 0;
  const form = { heads, keyValueHeads, scale, reach, angles };
  const { queryNorm, keyNorm } = block;
  if (!queryNorm || !keyNorm) return fusedAttention(packed, cache, lengths, slots, form);
  const widths = [heads, keyValueHeads, keyValueHeads].map((count) => count * headWidth);
  const [query, key, value] = tf.split(packed, widths, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const normalised = [norm(query, queryNorm, config), norm(key, keyNorm, config)] as const;
  return fusedAttention([...normalised, value], cache, lengths, slots, form);
}
