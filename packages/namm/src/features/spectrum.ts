import { tf } from '@palimpsest/tensor-core';

/**
 * The windowed real transform of N samples as one matrix `[N, N]`, row-major: rows 0 to N/2 are w[m] cos(2πkm/N), the
 * rest -w[m] sin(2πkm/N) for k = 1 to N/2 - 1. The sines of the first and the last bin vanish and have no row
 * (DERIVATION.md, "The spectrum as a product").
 */
export function transformMatrix(window: Float64Array): Float32Array {
  const size = window.length;
  const bins = size / 2 + 1;
  return Float32Array.from({ length: size * size }, (_, index) => {
    const [row, m] = [Math.floor(index / size), index % size];
    const isCosine = row < bins;
    const k = isCosine ? row : row - bins + 1;
    // Whole turns are taken out first, so that bins far up lose no digits.
    const angle = (2 * Math.PI * ((k * m) % size)) / size;
    return window[m]! * (isCosine ? Math.cos(angle) : -Math.sin(angle));
  });
}

/**
 * Spectra of the tokens' attention under one window.
 * @param samples the last rows of attention, `[batch, heads, rows >= N, tokens]`; the newest N are used
 * @param matrix of `transformMatrix`, `[N, N]`
 * @param magnitudes |X| of every bin; else real and imaginary part of every bin side by side
 * @returns `[batch, heads, N / 2 + 1 or N + 2, tokens]`
 */
export function spectrum(samples: tf.Tensor, matrix: tf.Tensor, magnitudes: boolean): tf.Tensor {
  const size = matrix.shape[0]!;
  const bins = size / 2 + 1;
  const [batch, heads, rows, tokens] = samples.shape as [number, number, number, number];
  const newest =
    rows === size ? samples : tf.slice(samples, [0, 0, rows - size, 0], [batch, heads, size, tokens]);
  const waves = (from: number, count: number) => tf.slice(matrix, [from, 0], [count, size]);
  // Rows of zeros in the small matrix are cheaper than rows of zeros in what it gives.
  const sines = tf.pad(waves(bins, bins - 2), [
    [1, 1],
    [0, 0],
  ]);
  const real = tf.matMul(waves(0, bins), newest);
  const imaginary = tf.matMul(sines, newest);
  if (magnitudes) return tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
  return tf.reshape(tf.stack([real, imaginary], 3), [batch, heads, 2 * bins, tokens]);
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
  const size = matrix.shape[0]!;
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
