import type { NDArray, tf } from '@palimpsest/tensor-core';

export type Leaf = NDArray | tf.Tensor;

/** Gain and bias of a layer norm; shapes stand where it is used. */
export interface NormParams<T extends Leaf = tf.Tensor> {
  readonly gain: T;
  readonly bias: T;
}

/**
 * Weights by region of the row layout [read | tokens | write]: tokens have their own, read and written state share one set or
 * have one each.
 */
export interface Regions<W> {
  readonly token: W;
  readonly state?: W;
  readonly read?: W;
  readonly write?: W;
}

/** Projections of one region in one pass. `in` is the input width c, e the packed width of query, key and value. */
export interface ProjectionParams<T extends Leaf = tf.Tensor> {
  /** Query, key and value side by side: [L, d, H·e] in the first pass, whose heads share their input, else [L, H, c, e]. */
  readonly qkv: T;
  /** Into the hidden vectors of a Hopfield pass: [L, d, H·ν] in the first pass, else [L, H, c, ν]. */
  readonly hidden?: T | undefined;
  /** Layer norm on the input, [L, H, c]. */
  readonly inputNorm?: NormParams<T> | undefined;
  /** Layer norms on queries, keys [L, H, κ] and values [L, H, ν]. */
  readonly queryNorm?: NormParams<T>;
  readonly keyNorm?: NormParams<T>;
  readonly valueNorm?: NormParams<T>;
}

/** Vectors of which the factor λ of the second attention is made, [L, H, κ] each. */
export interface LambdaParams<T extends Leaf = tf.Tensor> {
  readonly query1: T;
  readonly key1: T;
  readonly query2: T;
  readonly key2: T;
}

export interface PassParams<T extends Leaf = tf.Tensor> {
  readonly projections: Regions<ProjectionParams<T>>;
  /** Tables of the contextual positions, [L, H, κ, M] or [L, 1, κ, M]; two in a differential pass. */
  readonly cope?: readonly T[];
  readonly lambda?: LambdaParams<T>;
  /** Layer norm of a differential pass, [L, H, 2ν]. */
  readonly outputNorm?: NormParams<T>;
  /** From a differential pass to the next one, [L, H, 2ν, ν]. */
  readonly mix?: Regions<T> | undefined;
}

/** The attention block: all of a layer but its MLP and norms. */
export interface ArcParams<T extends Leaf = tf.Tensor> {
  /** State before the first segment, [L, S, d]. */
  readonly initState: T;
  readonly passes: readonly PassParams<T>[];
  /** Of every head's output to the rank, [L, H, ν, ρ]. */
  readonly inner?: Regions<T> | undefined;
  /** Of all heads to the model width, [L, H·ρ, d]: token rows and written rows. */
  readonly output: { readonly token: T; readonly state: T };
}

/** A map with bias: weight [L, in, out], bias [L, out]. */
export interface AffineParams<T extends Leaf = tf.Tensor> {
  readonly weight: T;
  readonly bias: T;
}

/** f(x W + b) ⊙ (x V + c): W, V [L, in, out], biases [L, out]; β of a swish, [L, 1]. */
export interface GatedParams<T extends Leaf = tf.Tensor> {
  readonly gate: T;
  readonly gateBias: T;
  readonly value: T;
  readonly valueBias: T;
  readonly beta?: T | undefined;
}

export type MlpParams<T extends Leaf = tf.Tensor> =
  | { readonly plain: readonly AffineParams<T>[] /** Of a swish, [L, 1]. */; readonly beta?: T | undefined }
  | { readonly gated: readonly GatedParams<T>[] }
  /** W1, V [L, d, h]; W2 [L, h, d]. */
  | { readonly gate: T; readonly value: T; readonly output: T };

/** Layers stacked along their first axis; norms are [L, d]. */
export interface LayerParams<T extends Leaf = tf.Tensor> extends ArcParams<T> {
  readonly attentionNorm: NormParams<T>;
  readonly mlp: MlpParams<T>;
  readonly mlpNorm: NormParams<T>;
  readonly stateNorm?: NormParams<T>;
  /** Of the gated update, on [state; z]: [L, 2d, d]. */
  readonly stateGate?: T;
}

/** Low-rank n-gram layer: down [d / k, k·d], oldest embedding first; up [d, d / k]. */
export interface NgramParams<T extends Leaf = tf.Tensor> {
  readonly down: T;
  readonly up: T;
}

/** Convolution over embeddings: weight [d, k·d], oldest first; bias [d]. */
export interface ConvParams<T extends Leaf = tf.Tensor> {
  readonly weight: T;
  readonly bias: T;
}

/** Parameters of the whole model. */
export interface OmParams<T extends Leaf = tf.Tensor> {
  /** [V', d]. */
  readonly embedding: T;
  readonly ngrams?: readonly NgramParams<T>[] | undefined;
  readonly convs?: readonly ConvParams<T>[] | undefined;
  readonly layers: LayerParams<T>;
  /** MLP and norm of the last layer where it is wider than the others', which then lack an entry for it. */
  readonly final?: { readonly mlp: MlpParams<T>; readonly mlpNorm: NormParams<T> } | undefined;
  /** [V', d·m]; the bias [V'] of the readme edition. */
  readonly head: { readonly weight: T; readonly bias?: T | undefined };
}

/** The weights of a region: its own, or those that read and written state share. */
export function regionOf<W>(regions: Regions<W>, region: 'read' | 'token' | 'write'): W {
  return (region === 'token' ? regions.token : (regions[region] ?? regions.state))!;
}
