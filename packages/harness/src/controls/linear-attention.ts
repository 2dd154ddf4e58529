import { tf } from '@palimpsest/tensor-core';

/** Tokens per chunk of the parallel form. */
const CHUNK = 64;
const EPSILON = 1e-6;

/** Feature map of Katharopoulos et al. 2020: elu(x) + 1, which is positive. */
const featureMap = (x: tf.Tensor) => tf.add(tf.elu(x), 1);

/**
 * Causal linear attention (Katharopoulos et al. 2020), o_t = φ(q_t) S_t / φ(q_t) z_t with S_t = γ S_{t-1} + φ(k_t) v_tᵀ and
 * z_t = γ z_{t-1} + φ(k_t), chunk by chunk: a masked product inside, the sums carried between. The normaliser z is the last
 * column of the sums, as if every value ended in a one.
 * @param query, key, value [batch, heads, time, width]
 * @param sums S and z before the first token, [batch, heads, width, width + 1]
 * @param decays γ of every head, in (0, 1]
 * @returns [batch, heads, time, width], and the sums after the last token
 */
export function linearAttention(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  sums: tf.Tensor,
  decays: readonly number[],
): [tf.Tensor, tf.Tensor] {
  const [batch, heads, time, width] = query.shape as [number, number, number, number];
  const [q, k] = [featureMap(query), featureMap(key)];
  const v = tf.concat([value, tf.ones([batch, heads, time, 1])], 3);
  const reads: tf.Tensor[] = [];
  let carried = sums;
  for (let from = 0; from < time; from += CHUNK) {
    const count = Math.min(CHUNK, time - from);
    const piece = (x: tf.Tensor) =>
      count === time ? x : tf.slice(x, [0, 0, from, 0], [batch, heads, count, x.shape[3]!]);
    const [read, next] = chunk(piece(q), piece(k), piece(v), carried, decays);
    reads.push(read);
    carried = next;
  }
  const read = reads.length === 1 ? reads[0]! : tf.concat(reads, 2);
  const [numerator, denominator] = tf.split(read, [width, 1], 3) as [tf.Tensor, tf.Tensor];
  return [tf.div(numerator, tf.add(denominator, EPSILON)), carried];
}

function chunk(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  sums: tf.Tensor,
  decays: readonly number[],
): [tf.Tensor, tf.Tensor] {
  const count = q.shape[2]!;
  const inside = perHead(decays, count, count, (gamma, t, s) => (s <= t ? gamma ** (t - s) : 0));
  const sinceStart = perHead(decays, count, 1, (gamma, t) => gamma ** (t + 1));
  const untilEnd = perHead(decays, count, 1, (gamma, t) => gamma ** (count - 1 - t));
  const whole = perHead(decays, 1, 1, (gamma) => gamma ** count);
  const scores = tf.mul(tf.matMul(q, tf.transpose(k, [0, 1, 3, 2])), inside);
  const read = tf.add(tf.matMul(scores, v), tf.matMul(tf.mul(q, sinceStart), sums));
  const added = tf.matMul(tf.transpose(tf.mul(k, untilEnd), [0, 1, 3, 2]), v);
  return [read, tf.add(tf.mul(sums, whole), added)];
}

/** Constants that depend on a head's decay: [1, heads, rows, columns]. */
function perHead(
  decays: readonly number[],
  rows: number,
  columns: number,
  value: (gamma: number, row: number, column: number) => number,
): tf.Tensor {
  const values = decays.flatMap((gamma) =>
    Array.from({ length: rows * columns }, (_, index) =>
      value(gamma, Math.floor(index / columns), index % columns),
    ),
  );
  return tf.tensor4d(Float32Array.from(values), [1, decays.length, rows, columns]);
}
