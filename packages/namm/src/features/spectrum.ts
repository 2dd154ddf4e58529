import { tf } from '@palimpsest/tensor-core';

/** Sines begin so many rows behind the cosines. */
const binsOf = (size: number): number => size / 2 + 1;

/**
 * The windowed real transform of N samples as one matrix `[N + 2, N]`, row-major: rows 0 to N/2 are w[m] cos(2πkm/N), as many more are
 * -w[m] sin(2πkm/N), which vanish for the first and the last bin (DERIVATION.md, "The spectrum as a product").
 */
export function transformMatrix(window: Float64Array): Float32Array {
  const size = window.length;
  const bins = binsOf(size);
  return Float32Array.from({ length: 2 * bins * size }, (_, index) => {
    const [row, m] = [Math.floor(index / size), index % size];
    const isCosine = row < bins;
    const k = isCosine ? row : row - bins;
    // Whole turns are taken out first, so that bins far up lose no digits.
    const turn = (k * m) % size;
    if (!isCosine && (2 * turn) % size === 0) return 0;
    const angle = (2 * Math.PI * turn) / size;
    return window[m]! * (isCosine ? Math.cos(angle) : -Math.sin(angle));
  });
}

/**
 * Spectra of the tokens' attention under one window.
 * @param samples the last rows of attention, `[batch, heads, rows >= N, tokens]`; the newest N are used
 * @param matrix of `transformMatrix`, `[N + 2, N]`
 * @param magnitudes |X| of every bin; else real and imaginary part of every bin side by side
 * @returns `[batch, heads, N / 2 + 1 or N + 2, tokens]`
 */
export function spectrum(samples: tf.Tensor, matrix: tf.Tensor, magnitudes: boolean): tf.Tensor {
  const size = matrix.shape[1]!;
  const bins = binsOf(size);
  const [batch, heads, rows, tokens] = samples.shape as [number, number, number, number];
  const newest =
    rows === size ? samples : tf.slice(samples, [0, 0, rows - size, 0], [batch, heads, size, tokens]);
  // One product for both parts: the runtime lays the samples out anew for each.
  const parts = tf.matMul(matrix, newest);
  if (!magnitudes) {
    const apart = tf.reshape(parts, [batch * heads, 2, bins, tokens]);
    return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [batch, heads, 2 * bins, tokens]);
  }
  const squares = tf.reshape(tf.square(parts), [batch * heads, 2, bins * tokens]);
  return tf.reshape(tf.sqrt(tf.sum(squares, 1)), [batch, heads, bins, tokens]);
}

/**
 * Spectra of all frames of an interval.
 * @param samples `[batch, heads, carry + queries, tokens]`, where the carry is the N - s rows before the interval
 * @param hopLength rows s between two frames
 * @returns one spectrum per frame, oldest first
 */
export function spectrogram(
  samples: tf.Tensor,
  matrix: tf.Tensor,
  hopLength: number,
  magnitudes: boolean,
): tf.Tensor[] {
  const size = matrix.shape[1]!;
  const [batch, heads, rows, tokens] = samples.shape as [number, number, number, number];
  const frames = (rows - size) / hopLength + 1;
  return Array.from({ length: frames }, (_, frame) =>
    spectrum(
      tf.slice(samples, [0, 0, frame * hopLength, 0], [batch, heads, size, tokens]),
      matrix,
      magnitudes,
    ),
  );
}
