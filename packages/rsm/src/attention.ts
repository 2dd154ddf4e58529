import { linear, MASKED, softmax, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from './config.js';
import type { CrossAttentionParams, SelfAttentionParams } from './parameters.js';
import { type RotaryConfig, rotateHeads } from './rotary.js';

export interface AttentionResult {
  /** What was read, as wide as the values or the model. */
  readonly output: tf.Tensor;
  /** Rows that sum to 1, after dropout. */
  readonly weights: tf.Tensor;
}

type Drop = (x: tf.Tensor) => tf.Tensor;
const keep: Drop = (x) => x;

/**
 * Scaled dot-product attention: softmax(q kᵀ / sqrt(width) - 1e9 mask) v.
 * @param query [..., queries, width] @param key [..., keys, width] @param value [..., keys, any]
 * @param mask [queries, keys], 1 blocks. A row that is blocked everywhere comes out uniform.
 */
export function scaledDotAttention(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  mask?: tf.Tensor,
): AttentionResult {
  const scores = tf.matMul(scaledRows(query), key, false, true);
  const weights = softmax(mask ? tf.add(scores, tf.mul(mask, MASKED)) : scores);
  return { output: tf.matMul(weights, value), weights };
}

/**
 * Queries divided by the square root of their width, before the product that they enter.
 * The reshape is no idle step: ONNX Runtime's MatMulScaleFusion otherwise moves the factor into the product, which
 * there rounds twice as much as the two operations apart.
 */
function scaledRows(query: tf.Tensor): tf.Tensor {
  const width = query.shape.at(-1)!;
  const scaled = tf.mul(tf.reshape(query, [-1, width]), 1 / Math.sqrt(width));
  return tf.reshape(scaled, query.shape);
}

/**
 * Additive mask of causal attention: query t sees keys t - window + 1 to t.
 * @param window 0 sees all earlier keys. Default 0
 * @returns [time, time] of 0 and a number that vanishes in a softmax.
 */
export function chunkMask(time: number, window = 0): tf.Tensor2D {
  const values = new Float32Array(time * time);
  for (let query = 0; query < time; query++) {
    for (let key = 0; key < time; key++) {
      const visible = key <= query && (window === 0 || key > query - window);
      if (!visible) values[query * time + key] = MASKED;
    }
  }
  return tf.tensor2d(values, [time, time]);
}

/** The options that a self-attention depends on. */
export type AttentionConfig = RotaryConfig &
  Pick<RsmConfig, 'numHeads'> &
  Partial<Pick<RsmConfig, 'slidingWindow'>>;

/**
 * Queries, keys and values of every head, from rows of all three side by side.
 * @param packed [..., 3 d] with batch x time rows
 * @returns three of [batch, heads, time, d / heads]
 */
export function splitHeads(
  packed: tf.Tensor,
  batch: number,
  time: number,
  heads: number,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const width = packed.shape.at(-1)! / (3 * heads);
  const rows = tf.reshape(packed, [batch, time, 3, heads, width]);
  return tf
    .split(tf.transpose(rows, [2, 0, 3, 1, 4]), 3, 0)
    .map((part) => tf.reshape(part, [batch, heads, time, width])) as [tf.Tensor, tf.Tensor, tf.Tensor];
}

/** What the heads read, joined and projected. @param read [batch, heads, time, d / heads] @returns [batch, time, d] */
export function joinHeads({ projection }: SelfAttentionParams, read: tf.Tensor): tf.Tensor {
  const [batch, heads, time, width] = read.shape as [number, number, number, number];
  const rows = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [batch, time, heads * width]);
  return linear(rows, projection.weight, projection.bias);
}

/**
 * Causal self-attention over one chunk, over all of it or a sliding window.
 * @param x [batch, time, d]
 * @param dropout on the attention weights. Default none
 * @returns output [batch, time, d] and weights [batch, heads, time, time], which are 0 for later keys.
 */
export function causalSelfAttention(
  params: SelfAttentionParams,
  x: tf.Tensor,
  config: AttentionConfig,
  dropout: Drop = keep,
): AttentionResult {
  const [batch, time] = x.shape as [number, number, number];
  const [query, key, value] = splitHeads(linear(x, params.qkv.weight), batch, time, config.numHeads);
  const scores = tf.matMul(scaledRows(rotateHeads(config, query)), rotateHeads(config, key), false, true);
  const weights = dropout(softmax(tf.add(scores, chunkMask(time, config.slidingWindow))));
  return { output: joinHeads(params, tf.matMul(weights, value)), weights };
}

/**
 * Cross-attention with one head over the full width: rows of `x` read rows of `y`.
 * @param x [batch, rows, d] @param y [batch, sources, d]
 * @param dropout on the output.
 * @returns output [batch, rows, d] and weights [batch, rows, sources].
 */
export function crossAttention(
  params: CrossAttentionParams,
  x: tf.Tensor,
  y: tf.Tensor,
  dropout: Drop = keep,
): AttentionResult {
  const { output: read, weights } = scaledDotAttention(
    linear(x, params.query.weight),
    linear(y, params.key.weight),
    linear(y, params.value.weight),
  );
  return { output: dropout(linear(read, params.output.weight, params.output.bias)), weights };
}
