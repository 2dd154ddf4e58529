import { linear, MASKED, softmax, tf } from '@palimpsest/tensor-core';
import { windowWeights } from '../features/window.js';

/** Options of the seed's policy under its own names. */
export interface OpenNAMMConfig {
  /** Calls between two updates. */
  readonly updateInterval: number;
  readonly strideSize: number;
  readonly windowSize: number;
  readonly nHead: number;
  readonly dModel: number;
  readonly gamma: number;
}

/** Weights under the seed's names. */
export type OpenNAMMWeights<T = tf.Tensor> = { readonly [name: string]: T };

export interface OpenNAMMScores {
  /** `[batch, tokens, bins, frames]` */
  readonly magnitude: tf.Tensor;
  /** `[batch, tokens, dModel]` */
  readonly features: tf.Tensor;
  /** `[batch, tokens, dModel]` */
  readonly reduced: tf.Tensor;
  /** `[batch, tokens]` */
  readonly scores: tf.Tensor;
}

/** Bins of the seed's transform. */
export const binsOf = ({ windowSize }: OpenNAMMConfig): number => windowSize / 2 + 1;
/** Frames of the seed's transform over so many queries. */
export const framesOf = ({ strideSize }: OpenNAMMConfig, queries: number): number =>
  1 + Math.floor(queries / strideSize);

/** Place of a sample of the signal with its ends reflected. */
function reflected(index: number, length: number): number {
  if (index < 0) return -index;
  return index < length ? index : 2 * (length - 1) - index;
}

/**
 * The centred transform with reflected ends as a matrix from queries to (bin, frame), cosines or negative sines:
 * `[queries, bins · frames]`, row-major.
 */
function centredTransform(config: OpenNAMMConfig, queries: number, isCosine: boolean): Float32Array {
  const { windowSize, strideSize } = config;
  const window = windowWeights('hann', windowSize, strideSize);
  const [bins, frames] = [binsOf(config), framesOf(config, queries)];
  const matrix = new Float64Array(queries * bins * frames);
  for (let bin = 0; bin < bins; bin++) {
    for (let frame = 0; frame < frames; frame++) {
      for (let m = 0; m < windowSize; m++) {
        const query = reflected(frame * strideSize + m - windowSize / 2, queries);
        const angle = (2 * Math.PI * ((bin * m) % windowSize)) / windowSize;
        const weight = window[m]! * (isCosine ? Math.cos(angle) : -Math.sin(angle));
        matrix[(query * bins + bin) * frames + frame]! += weight;
      }
    }
  }
  return Float32Array.from(matrix);
}

/** Linear interpolation along tokens with half-pixel centres, clamped at the ends: `[length, before]`. */
function interpolation(before: number, length: number): Float32Array {
  const matrix = new Float32Array(length * before);
  for (let i = 0; i < length; i++) {
    const source = Math.max(0, ((i + 0.5) * before) / length - 0.5);
    const left = Math.min(before - 1, Math.floor(source));
    const right = Math.min(before - 1, left + 1);
    const share = source - left;
    matrix[i * before + left]! += 1 - share;
    matrix[i * before + right]! += share;
  }
  return matrix;
}

/**
 * The seed's scores, as published.
 * @param attention `[batch, tokens, queries]`
 * @param past what the last update reduced to, `[batch, earlier tokens, dModel]`
 */
export function openNAMMScores(
  config: OpenNAMMConfig,
  weights: OpenNAMMWeights,
  attention: tf.Tensor,
  past: tf.Tensor | undefined,
): OpenNAMMScores {
  const [batch, tokens, queries] = attention.shape as [number, number, number];
  const [bins, frames] = [binsOf(config), framesOf(config, queries)];
  const rows = tf.reshape(attention, [batch * tokens, queries]);
  const part = (isCosine: boolean) =>
    tf.matMul(
      rows as tf.Tensor2D,
      tf.tensor2d(centredTransform(config, queries, isCosine), [queries, bins * frames]),
    );
  const magnitude = tf.sqrt(tf.add(tf.square(part(true)), tf.square(part(false))));
  const features = tf.reshape(
    linear(magnitude, weights['feature_proj.weight']!, weights['feature_proj.bias']),
    [batch, tokens, config.dModel],
  );
  const reduced = past ? tf.add(features, tf.mul(stretched(past, tokens), config.gamma)) : features;
  return {
    magnitude: tf.reshape(magnitude, [batch, tokens, bins, frames]),
    features,
    reduced,
    scores: attentionScores(config, weights, reduced),
  };
}

function stretched(past: tf.Tensor, tokens: number): tf.Tensor {
  const before = past.shape[1]!;
  if (before === tokens) return past;
  return tf.matMul(tf.tensor2d(interpolation(before, tokens), [tokens, before]), past);
}

/** Causal multi-head attention over the tokens, then one number each. */
function attentionScores(
  { dModel, nHead }: OpenNAMMConfig,
  weights: OpenNAMMWeights,
  reduced: tf.Tensor,
): tf.Tensor {
  const [batch, tokens] = reduced.shape as [number, number, number];
  const width = dModel / nHead;
  const places = tf.slice(weights['bam.pos_embedding']!, [0, 0, 0], [1, tokens, dModel]);
  const rows = tf.reshape(tf.add(reduced, places), [batch * tokens, dModel]);
  const packed = linear(
    rows,
    weights['bam.self_attention.in_proj_weight']!,
    weights['bam.self_attention.in_proj_bias'],
  );
  const [q, k, v] = tf
    .split(packed, 3, -1)
    .map((x) => tf.transpose(tf.reshape(x, [batch, tokens, nHead, width]), [0, 2, 1, 3])) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const later = Float32Array.from({ length: tokens * tokens }, (_, index) =>
    index % tokens > Math.floor(index / tokens) ? MASKED : 0,
  );
  const logits = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width));
  const read = tf.matMul(softmax(tf.add(logits, tf.tensor4d(later, [1, 1, tokens, tokens]))), v);
  const merged = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [batch * tokens, dModel]);
  const output = linear(
    merged,
    weights['bam.self_attention.out_proj.weight']!,
    weights['bam.self_attention.out_proj.bias'],
  );
  return tf.reshape(linear(output, weights['bam.score_proj.weight']!, weights['bam.score_proj.bias']), [
    batch,
    tokens,
  ]);
}
