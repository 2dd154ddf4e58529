import { type FloatArray, type Matrix, matrix } from '../linalg/matrix.js';
import { lengthLimit } from '../linalg/robust-rows.js';

/** Columns [start, end) of one field inside a concatenation. */
export type Slice = readonly [start: number, end: number];

/**
 * One factor per column: the root mean square of the field the column belongs to, so that a field of large norm does
 * not crowd the others out of the PCA; rows far longer than the others count as if they were not. A field that is zero throughout keeps factor 1.
 */
export function rmsScale(rows: Matrix, slices: readonly Slice[]): Float32Array {
  const scale = new Float32Array(rows.cols).fill(1);
  for (const [start, end] of slices) {
    const lengths = Float64Array.from({ length: rows.rows }, (_, i) => {
      let sum = 0;
      for (let j = start; j < end; j++) sum += rows.data[i * rows.cols + j]! ** 2;
      return Math.sqrt(sum);
    });
    const limit = lengthLimit(lengths);
    const energy = lengths.reduce((sum, length) => sum + Math.min(length, limit) ** 2, 0);
    const rms = Math.sqrt(energy / (rows.rows * (end - start)));
    if (rms > 1e-12) scale.fill(rms, start, end);
  }
  return scale;
}

/** Rows divided by the scale, in float64. */
export function unscaledRows(rows: Matrix, scale: Float32Array): Matrix {
  const result = matrix(rows.rows, rows.cols);
  for (let i = 0; i < rows.data.length; i++) result.data[i] = rows.data[i]! / scale[i % rows.cols]!;
  return result;
}

/** One vector divided by the scale, in float64. */
export function unscaled(v: ArrayLike<number>, scale: Float32Array | null): Float64Array {
  return Float64Array.from(v, (x, j) => (scale === null ? x : x / scale[j]!));
}

/** One vector times the scale, in place. */
export function rescale<A extends FloatArray>(v: A, scale: Float32Array | null): A {
  if (scale !== null) for (let j = 0; j < v.length; j++) v[j] = v[j]! * scale[j]!;
  return v;
}

/** |v - w| / max(|v|, 1e-8) over columns [start, end). */
export function relativeError(v: FloatArray, w: FloatArray, start = 0, end = v.length): number {
  let error = 0;
  let energy = 0;
  for (let j = start; j < end; j++) {
    error += (v[j]! - w[j]!) ** 2;
    energy += v[j]! ** 2;
  }
  return Math.sqrt(error) / Math.max(Math.sqrt(energy), 1e-8);
}
