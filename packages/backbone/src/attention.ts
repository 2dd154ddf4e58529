import { softmax, tf } from '@palimpsest/tensor-core';
import { groupProduct } from './group-product.js';

export interface AttentionResult {
  /** `[batch · time, heads · headWidth]`, or as many rows as go on. */
  readonly read: tf.Tensor;
  /** `[batch, heads, queries, columns]` of the newest queries, when asked for. */
  readonly probabilities?: tf.Tensor4D | undefined;
}

/**
 * Scaled dot-product attention with grouped queries: query head h reads key/value head ⌊h · keyValueHeads / heads⌋
 * (Ainslie et al. 2023). The queries of a group are stacked, so that keys and values are never repeated.
 * @param query `[batch, heads, time, headWidth]`, scaled
 * @param keys `[batch, keyValueHeads, columns, headWidth]`
 * @param values as keys
 * @param mask additive, `[1 or batch, 1 or keyValueHeads, time, columns]`
 * @param observed number of newest queries whose probabilities are given
 */
export function attend(
  query: tf.Tensor,
  keys: tf.Tensor,
  values: tf.Tensor,
  mask: tf.Tensor,
  observed = 0,
): AttentionResult {
  const [batch, heads, time, width] = query.shape as [number, number, number, number];
  const { byHead, probabilities } = attendByHead(query, keys, values, mask, observed);
  const merged = time === 1 ? byHead : tf.transpose(byHead, [0, 2, 1, 3]);
  return { read: tf.reshape(merged, [batch * time, heads * width]) as tf.Tensor2D, probabilities };
}

/** `attend` with what every head read by itself: `[batch, heads, time, headWidth]`. */
export function attendByHead(
  query: tf.Tensor,
  keys: tf.Tensor,
  values: tf.Tensor,
  mask: tf.Tensor,
  observed = 0,
): Pick<AttentionResult, 'probabilities'> & { readonly byHead: tf.Tensor } {
  const [batch, heads, time, width] = query.shape as [number, number, number, number];
  const [, keyValueHeads, columns] = keys.shape as [number, number, number, number];
  const group = heads / keyValueHeads;
  const stacked = group === 1 ? query : tf.reshape(query, [batch, keyValueHeads, group * time, width]);
  const scores = tf.matMul(stacked, keys, false, true);
  const masked = addMask(scores, mask, [batch, keyValueHeads, group, time, columns]);
  const probabilities = softmax(masked);
  return {
    byHead: tf.reshape(tf.matMul(probabilities, values), [batch, heads, time, width]),
    probabilities:
      observed > 0 ? newestQueries(probabilities, [batch, heads, time, columns], observed) : undefined,
  };
}

/** The slot that a query's own row takes: float32 `[batch, 1 or keyValueHeads, 1, slots]`, 1 there and 0 elsewhere. */
export type OwnSlot = tf.Tensor;

/**
 * `attend` for one query, over cached rows and the query's own row, which need not stand side by side in memory.
 * @param query `[batch, heads, 1, headWidth]`, scaled
 * @param cached keys and values `[batch, keyValueHeads, slots, headWidth]`
 * @param own key and value `[batch, keyValueHeads, 1, headWidth]`
 * @param mask additive, `[1 or batch, 1 or keyValueHeads, 1, slots + 1]`
 * @param ownSlot where its own probability belongs, if the probabilities are wanted: `[batch, heads, 1, slots]`
 */
export function attendBeside(
  query: tf.Tensor,
  cached: { readonly keys: tf.Tensor; readonly values: tf.Tensor },
  own: { readonly key: tf.Tensor; readonly value: tf.Tensor },
  mask: tf.Tensor,
  ownSlot?: OwnSlot,
): AttentionResult {
  const [batch, heads, , width] = query.shape as [number, number, number, number];
  const [, keyValueHeads, slots] = cached.keys.shape as [number, number, number, number];
  const group = tf.reshape(query, [batch, keyValueHeads, heads / keyValueHeads, width]);
  const scores = tf.concat(
    [groupProduct(group, cached.keys, true), tf.matMul(group, own.key, false, true)],
    3,
  );
  const [old, newest] = tf.split(softmax(tf.add(scores, mask)), [slots, 1], 3) as [tf.Tensor, tf.Tensor];
  const read = tf.add(groupProduct(old, cached.values, false), tf.mul(newest, own.value));
  return {
    read: tf.reshape(read, [batch, heads * width]) as tf.Tensor2D,
    ...(ownSlot && {
      probabilities: tf.reshape(tf.add(old, tf.mul(newest, ownSlot)), [
        batch,
        heads,
        1,
        slots,
      ]) as tf.Tensor4D,
    }),
  };
}

/** Adds one mask to the stacked queries of every group. */
function addMask(
  scores: tf.Tensor,
  mask: tf.Tensor,
  shape: [number, number, number, number, number],
): tf.Tensor {
  const [, , group, time] = shape;
  if (group === 1 || time === 1) return tf.add(scores, mask);
  return tf.reshape(tf.add(tf.reshape(scores, shape), tf.expandDims(mask, 2)), scores.shape);
}

function newestQueries(
  probabilities: tf.Tensor,
  [batch, heads, time, columns]: [number, number, number, number],
  observed: number,
): tf.Tensor4D {
  const count = Math.min(observed, time);
  const all = tf.reshape(probabilities, [batch, heads, time, columns]);
  return tf.slice(all, [0, 0, time - count, 0], [batch, heads, count, columns]) as tf.Tensor4D;
}
