import { cumulativeSum, tf } from '@palimpsest/tensor-core';
import { carryThroughChunks, inWholeChunks, turned } from './carried-chunks.js';
import { tokens } from './chunked-attention.js';
import { lowerTriangle } from './decays.js';
import { unitLowerInverse } from './unit-lower-inverse.js';

/** Tokens per chunk: within one a triangular system of this size is solved for every head. */
const CHUNK = 16;

/** What goes into the rule, each [batch, heads, time, width]. */
export interface GeneralisedDeltaInputs {
  readonly query: tf.Tensor;
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
  /** Under which the memory is read to be replaced. */
  readonly removal: tf.Tensor;
  /** Under which what was read is put back, weighed. */
  readonly replacement: tf.Tensor;
  /** Logarithms of what is left of every key channel, from -1 to 0. */
  readonly logDecay: tf.Tensor;
}

/**
 * The delta rule of RWKV-7 (Peng et al. 2025, eq. 15 to 17): o_t = q_t S_t with S_t = (diag(w_t) − b_t a_tᵀ) S_{t-1} +
 * k_t v_tᵀ, where a removes and b replaces. A token takes off b_t u_tᵀ with u_t = a_tᵀ S_{t-1}, and within a chunk the u
 * solve (I + A) u = a e^(c−log w) S₀ + B v with A_ts = Σ a_t b_s e^(c_{t-1} − c_s) and B likewise with the keys, for s < t,
 * where c are running sums of log w.
 * @param sums S before the first token, [batch, heads, width, width]
 * @returns [batch, heads, time, width], and the sums after the last token
 */
export function generalisedDeltaRule(
  inputs: GeneralisedDeltaInputs,
  sums: tf.Tensor,
): readonly [tf.Tensor, tf.Tensor] {
  return inWholeChunks(inputs.query.shape[2]!, CHUNK, sums, (carried, from, count, chunk) => {
    const [batch, heads, , width] = inputs.query.shape as [number, number, number, number];
    const folded = (x: tf.Tensor) =>
      tf.reshape(tokens(x, from, count), [batch * heads, count / chunk, chunk, width]);
    const [query, key, value] = [folded(inputs.query), folded(inputs.key), folded(inputs.value)];
    const [removal, replacement, logs] = [
      folded(inputs.removal),
      folded(inputs.replacement),
      folded(inputs.logDecay),
    ];
    const fade = cumulativeSum(logs, 2);
    const last = tf.slice(fade, [0, 0, chunk - 1, 0], [batch * heads, count / chunk, 1, width]);
    const [undone, untilEnd] = [tf.exp(tf.neg(fade)), tf.exp(tf.sub(last, fade))];
    const reading = tf.mul(query, tf.exp(fade));
    const removing = tf.mul(removal, tf.exp(tf.sub(fade, logs)));
    const replacing = turned(tf.mul(replacement, undone));
    const writing = turned(tf.mul(key, undone));
    const [past, before] = [lowerTriangle(chunk, 0), lowerTriangle(chunk, 1)];
    const inverse = unitLowerInverse(tf.mul(tf.matMul(removing, replacing), before));
    const recalled = tf.matMul(tf.mul(tf.matMul(removing, writing), before), value);
    const [starts, taken, after] = carryThroughChunks(
      {
        wanted: tf.neg(tf.matMul(inverse, recalled)),
        recalling: tf.matMul(inverse, removing),
        kept: turned(tf.mul(replacement, untilEnd)),
        whole: turned(tf.exp(last)),
        given: tf.matMul(turned(tf.mul(key, untilEnd)), value),
      },
      carried,
    );
    const inside = tf.add(
      tf.matMul(tf.mul(tf.matMul(reading, replacing), past), taken),
      tf.matMul(tf.mul(tf.matMul(reading, writing), past), value),
    );
    const read = tf.add(tf.matMul(reading, starts), inside);
    return [tf.reshape(read, [batch, heads, count, width]), after];
  });
}
