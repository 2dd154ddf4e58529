import { tf } from '@palimpsest/tensor-core';

/** [rows, columns] row-major: decay^(row - 1 - column) below the diagonal, 0 elsewhere. */
export function strictDecayMatrix(
  rows: number,
  columns: number,
  decay: number,
  exponentStep = 1,
): Float32Array {
  const matrix = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < Math.min(row, columns); column++) {
      matrix[row * columns + column] = decay ** ((row - 1 - column) * exponentStep);
    }
  }
  return matrix;
}

/** decay^(from), decay^(from + step), ... as a list of `count` factors. */
export function decayPowers(count: number, decay: number, step = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => decay ** (index * step));
}

export interface PrefixSum {
  /** Sums over all earlier tokens, [batch, time, features]. */
  readonly before: tf.Tensor;
  /** Sum over all tokens, [batch, features]. */
  readonly last: tf.Tensor;
}

/**
 * Exclusive prefix sums over time with forgetting: `before[t] = decay^t initial + sum_{s<t} decay^(t-1-s) x[s]`.
 * Chunks are summed by triangular matrix products and linked by one more, which engines run faster than a scan.
 *
 * @param x [batch, time, features].
 * @param initial [batch, features].
 */
export function exclusivePrefixSum(
  x: tf.Tensor,
  initial: tf.Tensor,
  decay: number,
  chunk: number,
): PrefixSum {
  const [batch, time, features] = x.shape as [number, number, number];
  if (time === 1) {
    return {
      before: tf.expandDims(initial, 1),
      last: tf.add(scaled(initial, decay), tf.reshape(x, [batch, features])),
    };
  }
  const whole = Math.floor(time / chunk);
  if (time <= chunk || whole * chunk === time)
    return prefixOfChunks(x, initial, decay, Math.min(time, chunk));
  const head = prefixOfChunks(tf.slice(x, [0, 0, 0], [-1, whole * chunk, -1]), initial, decay, chunk);
  const tail = exclusivePrefixSum(tf.slice(x, [0, whole * chunk, 0], [-1, -1, -1]), head.last, decay, chunk);
  return { before: tf.concat([head.before, tail.before], 1), last: tail.last };
}

function scaled(x: tf.Tensor, factor: number): tf.Tensor {
  return factor === 1 ? x : tf.mul(x, factor);
}

function prefixOfChunks(x: tf.Tensor, initial: tf.Tensor, decay: number, chunk: number): PrefixSum {
  const [batch, time, features] = x.shape as [number, number, number];
  const chunks = time / chunk;
  // One matrix gives the sums before every token of a chunk and, as its last row, the sum of the whole chunk.
  const within = tf.tensor2d(strictDecayMatrix(chunk + 1, chunk, decay), [chunk + 1, chunk]);
  const sums = tf.matMul(tf.expandDims(within, 0), tf.reshape(x, [batch * chunks, chunk, features]));
  const inChunk = tf.reshape(sums, [batch, chunks, chunk + 1, features]);
  const totals = tf.reshape(tf.slice(inChunk, [0, 0, chunk, 0], [-1, -1, 1, -1]), [batch, chunks, features]);
  const link = tf.tensor2d(strictDecayMatrix(chunks + 1, chunks, decay, chunk), [chunks + 1, chunks]);
  const carried = tf.matMul(tf.expandDims(link, 0), totals);
  const fromStart = tf.mul(
    tf.expandDims(initial, 1),
    tf.tensor3d(decayPowers(chunks + 1, decay, chunk), [1, chunks + 1, 1]),
  );
  const atChunks = tf.add(carried, fromStart);
  const starts = tf.slice(atChunks, [0, 0, 0], [-1, chunks, -1]);
  const powers = tf.tensor4d(decayPowers(chunk, decay), [1, 1, chunk, 1]);
  const before = tf.add(
    tf.slice(inChunk, [0, 0, 0, 0], [-1, -1, chunk, -1]),
    decay === 1 ? tf.expandDims(starts, 2) : tf.mul(tf.expandDims(starts, 2), powers),
  );
  return {
    before: tf.reshape(before, [batch, time, features]),
    last: tf.reshape(tf.slice(atChunks, [0, chunks, 0], [-1, 1, -1]), [batch, features]),
  };
}
