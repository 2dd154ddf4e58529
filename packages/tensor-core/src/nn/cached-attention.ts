import { formatShape, InputError } from '@palimpsest/base';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { cast, expand, reshape } from '../trace/emit.js';
import { reduce } from '../trace/reduce.js';
import { MASKED } from './softmax.js';

/** ONNX Runtime's fused kernel takes heads whose width is a multiple of this. */
const FUSED_WIDTH = 8;

interface CachedAttentionAttributes {
  readonly heads: number;
}

/** Keys and values of the tokens seen so far, each `[batch, heads, capacity, width]`; slots not yet used hold anything. */
export interface AttentionCache {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/** Puts `row` `[batch, heads, 1, width]` into the slots that `positions` `[1 or batch]` names. */
function write(cache: tf.Tensor, row: tf.Tensor, positions: tf.Tensor): tf.Tensor {
  const capacity = cache.shape[2]!;
  const hot = tf.oneHot(positions as tf.Tensor1D, capacity, 1, 0, 'float32');
  const slot = tf.reshape(hot, [positions.size, 1, capacity, 1]);
  return tf.add(tf.mul(cache, tf.sub(1, slot)), tf.mul(row, slot));
}

/** The step in plain tensor ops. */
function attend(
  packed: tf.Tensor,
  keys: tf.Tensor,
  values: tf.Tensor,
  position: tf.Tensor,
  heads: number,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const [batch, , capacity, width] = keys.shape as [number, number, number, number];
  const [query, key, value] = tf
    .split(packed, 3, -1)
    .map((part) => tf.reshape(part, [batch, heads, 1, width])) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const positions = tf.reshape(position, [-1]);
  const nextKeys = write(keys, key, positions);
  const nextValues = write(values, value, positions);
  const slots = tf.reshape(tf.range(0, capacity, 1, 'int32'), [1, 1, 1, capacity]);
  const later = tf.greater(slots, tf.reshape(positions, [-1, 1, 1, 1]));
  const scores = tf.mul(tf.matMul(query, nextKeys, false, true), 1 / Math.sqrt(width));
  const weights = tf.softmax(tf.add(scores, tf.mul(tf.cast(later, 'float32'), MASKED)));
  return [tf.reshape(tf.matMul(weights, nextValues), [batch, heads * width]), nextKeys, nextValues];
}

const decodeOp = defineOp<CachedAttentionAttributes>({
  name: 'CachedAttention',
  infer: ([packed, keys, values], { heads }) => {
    const width = keys!.shape[3]!;
    if (packed!.shape.at(-1) !== 3 * heads * width || keys!.shape[1] !== heads) {
      throw new InputError(
        `Cached attention with ${heads} heads needs packed rows of 3 x heads x width and caches [batch, heads, capacity, width], but got ${formatShape(packed!.shape)} and ${formatShape(keys!.shape)}.`,
      );
    }
    return [{ shape: [packed!.shape[0]!, heads * width], dtype: 'float32' }, keys!, values!];
  },
  compose: ([packed, keys, values, position], { heads }) => attend(packed!, keys!, values!, position!, heads),
  trace: (graph, [packed, keys, values, position], { heads }) => {
    const [batch, , , width] = keys!.shape as [number, number, number, number];
    const model = heads * width;
    const rows = reshape(graph, packed!, [batch, 1, 3 * model]);
    const perText = position!.shape.length === 1 && position!.shape[0] === batch;
    const given = cast(graph, reshape(graph, position!, [perText ? batch : 1]), 'int32');
    const lengths = expand(graph, given, [batch]);
    const last = reduce(graph, 'ReduceMax', given, [0], true);
    const one = graph.constant(Int32Array.of(1), [1], 'int32');
    const total = graph.node('Add', [last, one], { shape: [1], dtype: 'int32' });
    const [read, nextKeys, nextValues] = graph.nodes(
      'GroupQueryAttention',
      [rows, undefined, undefined, keys!, values!, lengths, total],
      [{ shape: [batch, 1, model], dtype: 'float32' }, keys!, values!],
      { num_heads: heads, kv_num_heads: heads },
      'com.microsoft',
    );
    return [reshape(graph, read!, [batch, model]), nextKeys!, nextValues!];
  },
});

/**
 * One step of causal attention over a cache of fixed capacity, for decoding: writes the new key and value into slot
 * `position` and reads slots 0 to `position`. In a traced graph it is one fused node of ONNX Runtime, if the width of a
 * head is a multiple of 8.
 * @param packed query, key and value side by side, `[batch, 3 · heads · width]`
 * @param position int32 scalar, or `[batch]`: the number of tokens seen before
 * @returns what was read, `[batch, heads · width]`, and the cache after the step
 */
export function cachedAttention(
  packed: tf.Tensor,
  cache: AttentionCache,
  position: tf.Tensor,
  heads: number,
): { read: tf.Tensor; cache: AttentionCache } {
  const width = cache.keys.shape[3]!;
  const [read, keys, values] =
    width % FUSED_WIDTH === 0
      ? decodeOp([packed, cache.keys, cache.values, position], { heads })
      : attend(packed, cache.keys, cache.values, position, heads);
  return { read: read!, cache: { keys: keys!, values: values! } };
}
