import { tf, writeRows } from '@palimpsest/tensor-core';
import { budgetOf, type Retention } from './retention.js';

/** More than any score. */
const SURE = 1e30;

/**
 * What `retain` decides, inside a graph: for texts without padding whose length is known when the graph is made.
 * @param scores float32 `[batch, heads, tokens]`, oldest first
 * @param valid bool, as scores: which tokens are still there
 * @param tokensSeen by every text
 * @returns bool `[batch, heads, tokens]`
 */
export function retentionMask(
  retention: Exclude<Retention, { kind: 'everything' }>,
  scores: tf.Tensor,
  valid: tf.Tensor,
  tokensSeen: number,
): tf.Tensor {
  const [, heads] = scores.shape as [number, number, number];
  const ones = tf.cast(valid, 'float32');
  const count = tf.sum(ones, 2, true);
  const rank = tf.cumsum(ones, 2);
  const fromNewest = tf.sub(count, rank);
  const isNewest = (most: number) => tf.logicalAnd(tf.less(fromNewest, most), valid);
  const present = (x: tf.Tensor) => tf.where(valid, x, tf.fill(scores.shape, -SURE));
  const sure = (where: tf.Tensor, x: tf.Tensor, value: number) =>
    // The newest first, at steps that float32 can tell apart.
    tf.where(where, tf.mul(tf.sub(1, tf.mul(fromNewest, 2 ** -20)), value), x);
  if (retention.kind === 'threshold') {
    const { kind, cacheSize, threshold } = retention.rule;
    const values = sure(isNewest(1), present(scores), SURE);
    const passes = kind === 'topk' ? valid : tf.logicalAnd(tf.greaterEqual(values, threshold(0)), valid);
    if (cacheSize === null || cacheSize >= scores.shape[2]!) return passes;
    return tf.logicalAnd(passes, best(values, cacheSize));
  }
  const { budget, protects = () => ({ first: 0, newest: 1 }) } = retention;
  const sizes = Array.from({ length: heads }, (_, head) => budgetOf(budget, head, tokensSeen));
  const { first, newest } = protects(sizes[0]!);
  const isFirst = tf.logicalAnd(tf.lessEqual(rank, first), valid);
  const kept = sure(isNewest(Math.max(1, newest)), sure(isFirst, present(scores), SURE / 4), SURE);
  return tf.logicalAnd(valid, budget.shared ? bestOfAll(kept, sizes) : bestOfEach(kept, sizes));
}

/** 1 where a value is among the best of its head; of equals the older one. */
function best(values: tf.Tensor, count: number): tf.Tensor {
  const [batch, heads, tokens] = values.shape as [number, number, number];
  if (count >= tokens) return tf.cast(tf.ones(values.shape), 'bool');
  const { indices } = tf.topk(values, count, true);
  const slots = tf.reshape(indices as tf.Tensor, [batch, heads, count]);
  const marked = writeRows(tf.zeros(values.shape, 'int32'), tf.ones([batch, heads, count], 'int32'), slots);
  return tf.cast(marked, 'bool');
}

function bestOfEach(values: tf.Tensor, sizes: readonly number[]): tf.Tensor {
  if (sizes.every((size) => size === sizes[0])) return best(values, sizes[0]!);
  const [batch, , tokens] = values.shape as [number, number, number];
  const heads = sizes.map((size, head) =>
    tf.cast(best(tf.slice(values, [0, head, 0], [batch, 1, tokens]), size), 'int32'),
  );
  return tf.cast(tf.concat(heads, 1), 'bool');
}

function bestOfAll(values: tf.Tensor, sizes: readonly number[]): tf.Tensor {
  const [batch, heads, tokens] = values.shape as [number, number, number];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const together = best(tf.reshape(values, [batch, 1, heads * tokens]), total);
  return tf.reshape(together, values.shape);
}
