import { tf } from '@palimpsest/tensor-core';

/**
 * What the tokens received from the query heads of each key/value head, averaged.
 * @param attention `[batch, query heads, queries, tokens]`
 * @returns `[batch, heads, queries, tokens]`
 */
export function groupMean(attention: tf.Tensor, heads: number): tf.Tensor {
  const [batch, queryHeads, queries, tokens] = attention.shape as [number, number, number, number];
  if (queryHeads === heads) return attention;
  return tf.mean(tf.reshape(attention, [batch, heads, queryHeads / heads, queries, tokens]), 2);
}

/** Columns of zeros for tokens that came later: nobody looked at them before. Axis 3 of `[batch, heads, rows, tokens]`. */
export function padTokens(rows: tf.Tensor, tokens: number): tf.Tensor {
  const more = tokens - rows.shape[3]!;
  if (more === 0) return rows;
  return tf.pad(rows, [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, more],
  ]);
}

/**
 * Rows of kept tokens, their columns gathered: `[batch, heads, rows, tokens]` to `[batch, heads, rows, kept]`.
 * @param kept int32 `[batch, heads, kept]`
 */
export function gatherTokens(rows: tf.Tensor, kept: tf.Tensor): tf.Tensor {
  const [batch, heads, count, tokens] = rows.shape as [number, number, number, number];
  const chosen = kept.shape[2]!;
  const starts = tf.tensor3d(
    Int32Array.from({ length: batch * heads }, (_, list) => list * tokens),
    [batch, heads, 1],
    'int32',
  );
  const tokenMajor = tf.reshape(tf.transpose(rows, [0, 1, 3, 2]), [batch * heads * tokens, count]);
  const gathered = tf.gather(tokenMajor, tf.reshape(tf.add(kept, starts), [-1]));
  return tf.transpose(tf.reshape(gathered, [batch, heads, chosen, count]), [0, 1, 3, 2]);
}
