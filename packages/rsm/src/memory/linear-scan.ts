import { tf } from '@palimpsest/tensor-core';

/** Orders in which a scan may be evaluated; they differ in rounding and speed only. */
export type ScanForm = 'sequential' | 'doubling';

/**
 * All states of the diagonal recurrence s_{t+1} = a_t s_t + b_t (DERIVATION.md, "Chunks at once").
 * @param decay a, [batch, chunks, ...] @param input b, as a; both may broadcast to the states
 * @param first s_0, [batch, ...]
 * @param form 'sequential' takes one small step per chunk, 'doubling' ceil(log2 chunks) large ones. Default 'sequential'
 * @returns s_1 to s_chunks, [batch, chunks, ...]
 */
export function linearScan(
  decay: tf.Tensor,
  input: tf.Tensor,
  first: tf.Tensor,
  form: ScanForm = 'sequential',
): tf.Tensor {
  return form === 'sequential' ? sequentialScan(decay, input, first) : doublingScan(decay, input, first);
}

function sequentialScan(decay: tf.Tensor, input: tf.Tensor, first: tf.Tensor): tf.Tensor {
  const inputs = tf.unstack(input, 1);
  let state = first;
  const states = tf.unstack(decay, 1).map((factor, chunk) => {
    state = tf.add(tf.mul(factor, state), inputs[chunk]!);
    return state;
  });
  return tf.stack(states, 1);
}

/** Pairs (a, b) compose as (a a', a' b + b'); after round r every pair covers the last 2^r chunks. */
function doublingScan(decay: tf.Tensor, input: tf.Tensor, first: tf.Tensor): tf.Tensor {
  const chunks = decay.shape[1]!;
  const head = (x: tf.Tensor, count: number) => sliceChunks(x, 0, count);
  let [a, b] = [decay, input];
  for (let reach = 1; reach < chunks; reach *= 2) {
    const [late, early] = [chunks - reach, chunks - reach];
    const factor = sliceChunks(a, reach, late);
    const nextB = tf.add(tf.mul(factor, head(b, early)), sliceChunks(b, reach, late));
    const nextA = tf.mul(factor, head(a, early));
    a = tf.concat([head(a, reach), nextA], 1);
    b = tf.concat([head(b, reach), nextB], 1);
  }
  return tf.add(tf.mul(a, tf.expandDims(first, 1)), b);
}

/** A run of chunks, [batch, count, ...]. */
function sliceChunks(x: tf.Tensor, from: number, count: number): tf.Tensor {
  const begin = x.shape.map((_, axis) => (axis === 1 ? from : 0));
  return tf.slice(
    x,
    begin,
    x.shape.map((extent, axis) => (axis === 1 ? count : extent)),
  );
}
