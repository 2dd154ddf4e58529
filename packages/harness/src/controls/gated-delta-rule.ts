import { tf } from '@palimpsest/tensor-core';
import { carryThroughChunks, inWholeChunks, turned } from './carried-chunks.js';
import { tokens } from './chunked-attention.js';
import { headFading, lowerTriangle } from './decays.js';
import { unitLowerInverse } from './unit-lower-inverse.js';

/** Tokens per chunk: within one a triangular system of this size is solved for every head. */
const CHUNK = 16;

/** What goes into the rule, each [batch, heads, time, ...]. */
export interface DeltaRuleInputs {
  readonly query: tf.Tensor;
  /** Of length 1. */
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
  /** How much of what a key recalls is replaced, in [0, 1]; [batch, heads, time, 1]. */
  readonly rate: tf.Tensor;
  /** Logarithm of what is left of the memory, <= 0; [batch, heads, time, 1]. */
  readonly logDecay: tf.Tensor;
}

/**
 * The gated delta rule (Yang, Kautz & Hatamizadeh 2025, eq. 10): o_t = q_t S_t with S_t = α_t (I − β_t k_t k_tᵀ) S_{t-1} +
 * β_t k_t v_tᵀ, chunk by chunk. What a token adds is k_t u_tᵀ with u_t = β_t (v_t − α_t k_tᵀ S_{t-1}); within a chunk the u
 * solve (I + A) u = β (v − e^b k S₀), where A_ts = β_t e^(b_t − b_s) k_t · k_s for s < t and b are running sums of log α.
 * @param sums S before the first token, [batch, heads, key width, value width]
 * @returns [batch, heads, time, value width], and the sums after the last token
 */
export function gatedDeltaRule(inputs: DeltaRuleInputs, sums: tf.Tensor): readonly [tf.Tensor, tf.Tensor] {
  return inWholeChunks(inputs.query.shape[2]!, CHUNK, sums, (carried, from, count, chunk) => {
    const part = (x: tf.Tensor) => tokens(x, from, count);
    const { query, key, value, rate, logDecay } = inputs;
    const stretch = {
      query: part(query),
      key: part(key),
      value: part(value),
      rate: part(rate),
      logDecay: part(logDecay),
    };
    return readChunks(stretch, chunk, carried);
  });
}

/** Everything of the chunks that does not wait for the one before, for all of them at once, [batch · heads, chunks, ...]. */
function readChunks(
  inputs: DeltaRuleInputs,
  count: number,
  sums: tf.Tensor,
): readonly [tf.Tensor, tf.Tensor] {
  const [batch, heads, time] = inputs.query.shape as [number, number, number];
  const chunks = time / count;
  const folded = (x: tf.Tensor) => tf.reshape(x, [batch * heads, chunks, count, x.shape[3]!]);
  const [query, key, value] = [inputs.query, inputs.key, inputs.value].map(folded) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const rate = folded(inputs.rate);
  const { inside, sinceStart, untilEnd, whole } = headFading(folded(inputs.logDecay));
  const keyColumns = turned(key);
  const alike = tf.mul(tf.mul(tf.matMul(key, keyColumns), inside), tf.mul(rate, lowerTriangle(count, 1)));
  const solved = tf.mul(unitLowerInverse(alike), turned(rate));
  const wanted = tf.matMul(solved, value);
  const recalling = tf.matMul(solved, tf.mul(key, sinceStart));
  const kept = turned(tf.mul(key, untilEnd));
  const [before, added, after] = carryThroughChunks({ wanted, recalling, kept, whole }, sums);
  const scores = tf.mul(tf.matMul(query, keyColumns), inside);
  const read = tf.add(tf.matMul(tf.mul(query, sinceStart), before), tf.matMul(scores, added));
  return [tf.reshape(read, [batch, heads, time, value.shape[3]!]), after];
}
