import { tf } from '@palimpsest/tensor-core';

/** Tokens per chunk of the parallel form. */
const CHUNK = 64;

/** How sums fade over the tokens of one chunk; a batch or key width that does not matter is 1. */
export interface Fading {
  /** q_t · k_s weighed by what is left at t of what came at s <= t, and 0 for later ones: [batch, heads, count, count]. */
  scores(query: tf.Tensor, key: tf.Tensor): tf.Tensor;
  /** Left at every token of what was there before the chunk, [batch, heads, count, key width]. */
  readonly sinceStart: tf.Tensor;
  /** Left after the chunk of what came at every token, [batch, heads, count, key width]. */
  readonly untilEnd: tf.Tensor;
  /** Left after the chunk of what was there before it, [batch, heads, key width, 1]. */
  readonly whole: tf.Tensor;
}

/** The fading over the tokens from `from` to `from + count`. */
export type Decay = (from: number, count: number) => Fading;

/**
 * Causal attention without a softmax, o_t = q_t S_t with S_t = decay_t ⊙ S_{t-1} + k_t v_tᵀ, chunk by chunk: a masked product
 * inside, the sums carried between (Hua et al. 2022; Sun et al. 2023, eq. 7).
 * @param query, key [batch, heads, time, key width]
 * @param value [batch, heads, time, value width]
 * @param sums S before the first token, [batch, heads, key width, value width]
 * @returns [batch, heads, time, value width], and the sums after the last token
 */
export function chunkedAttention(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  sums: tf.Tensor,
  decay: Decay,
): readonly [tf.Tensor, tf.Tensor] {
  return overChunks(query.shape[2]!, CHUNK, sums, (carried, from, count) => {
    const [q, k, v] = [query, key, value].map((x) => tokens(x, from, count)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const fading = decay(from, count);
    const inside = tf.matMul(fading.scores(q, k), v);
    const read = tf.add(inside, tf.matMul(tf.mul(q, fading.sinceStart), carried));
    const added = tf.matMul(tf.transpose(tf.mul(k, fading.untilEnd), [0, 1, 3, 2]), v);
    return [read, tf.add(tf.mul(carried, fading.whole), added)];
  });
}

/** Reads chunk by chunk and joins what was read along the time, axis 2. */
export function overChunks(
  time: number,
  chunk: number,
  start: tf.Tensor,
  readChunk: (carried: tf.Tensor, from: number, count: number) => readonly [tf.Tensor, tf.Tensor],
): readonly [tf.Tensor, tf.Tensor] {
  const reads: tf.Tensor[] = [];
  let carried = start;
  for (let from = 0; from < time; from += chunk) {
    const [read, next] = readChunk(carried, from, Math.min(chunk, time - from));
    reads.push(read);
    carried = next;
  }
  return [reads.length === 1 ? reads[0]! : tf.concat(reads, 2), carried];
}

/** A stretch of the time, axis 2. */
export function tokens(x: tf.Tensor, from: number, count: number): tf.Tensor {
  if (count === x.shape[2]) return x;
  const begin = x.shape.map((_, axis) => (axis === 2 ? from : 0));
  return tf.slice(
    x,
    begin,
    x.shape.map((extent, axis) => (axis === 2 ? count : extent)),
  );
}
