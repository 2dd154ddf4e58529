import { expect } from '../errors.js';
import { columnsOf, kernelProduct, matrixKernels, rowsOf, type Side } from './matrix-kernel.js';

/** Numbers of one row-major matrix or one vector. */
export type FloatArray = Float32Array | Float64Array;

/** A dense row-major matrix: row i is `data[i * cols .. (i + 1) * cols]`. */
export interface Matrix<A extends FloatArray = FloatArray> {
  readonly rows: number;
  readonly cols: number;
  readonly data: A;
}

/** A matrix over the given numbers, or of float64 zeros. Throws when the length is not `rows * cols`. */
export function matrix<A extends FloatArray>(rows: number, cols: number, data: A): Matrix<A>;
export function matrix(rows: number, cols: number): Matrix<Float64Array>;
export function matrix(rows: number, cols: number, data: FloatArray = new Float64Array(rows * cols)): Matrix {
  expect(data.length === rows * cols, () => {
    return `A ${rows} x ${cols} matrix needs ${rows * cols} numbers, got ${data.length}; pass row-major data of that length.`;
  });
  return { rows, cols, data };
}

/** A float64 matrix [rows, cols] of equally long rows. */
export function matrixFromRows(rows: readonly ArrayLike<number>[], cols = rows[0]?.length ?? 0): Matrix {
  const result = matrix(rows.length, cols);
  rows.forEach((row, index) => {
    expect(row.length === cols, () => {
      return `Row ${index} has ${row.length} numbers where ${cols} were expected; all rows must be equally long.`;
    });
    result.data.set(row, index * cols);
  });
  return result;
}

/** Row i as a view, no copy. */
export function rowOf(m: Matrix, index: number): FloatArray {
  return m.data.subarray(index * m.cols, (index + 1) * m.cols);
}

/** The listed rows, copied into a float64 matrix. */
export function takeRows(m: Matrix, indices: readonly number[]): Matrix {
  const result = matrix(indices.length, m.cols);
  indices.forEach((index, position) => {
    result.data.set(rowOf(m, index), position * m.cols);
  });
  return result;
}

/** At most `count` of the items, evenly spread. */
export function evenly(items: readonly number[], count: number): number[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}

/** At most `count` of the rows, evenly spread. */
export function evenRows(m: Matrix, count: number): Matrix {
  return m.rows <= count ? m : takeRows(m, evenly([...Array(m.rows).keys()], count));
}

/** Dot product of `n` numbers at two offsets. Four partial sums let the compiler overlap the multiplications. */
export function dotAt(a: FloatArray, aOffset: number, b: FloatArray, bOffset: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const blocked = n - (n % 4);
  for (let i = 0; i < blocked; i += 4) {
    s0 += a[aOffset + i]! * b[bOffset + i]!;
    s1 += a[aOffset + i + 1]! * b[bOffset + i + 1]!;
    s2 += a[aOffset + i + 2]! * b[bOffset + i + 2]!;
    s3 += a[aOffset + i + 3]! * b[bOffset + i + 3]!;
  }
  for (let i = blocked; i < n; i++) s0 += a[aOffset + i]! * b[bOffset + i]!;
  return s0 + s1 + (s2 + s3);
}

/** Dot product of two vectors of the first one's length. */
export function dot(a: FloatArray, b: FloatArray): number {
  return dotAt(a, 0, b, 0, a.length);
}

/** Euclidean length. */
export function norm(a: FloatArray): number {
  return Math.sqrt(dot(a, a));
}

/** v / max(|v|, eps), in float64. */
export function normalised(v: FloatArray, eps = 1e-8): Float64Array {
  const length = Math.max(norm(v), eps);
  return Float64Array.from(v, (x) => x / length);
}

/** M v: [rows]. */
export function timesVector(m: Matrix, v: FloatArray): Float64Array {
  const result = new Float64Array(m.rows);
  for (let i = 0; i < m.rows; i++) result[i] = dotAt(m.data, i * m.cols, v, 0, m.cols);
  return result;
}

/** v M: [cols]. */
export function vectorTimes(v: FloatArray, m: Matrix): Float64Array {
  const result = new Float64Array(m.cols);
  for (let i = 0; i < m.rows; i++) addScaledRow(result, m, i, v[i]!);
  return result;
}

/** target += factor * row i of m. */
export function addScaledRow(target: FloatArray, m: Matrix, index: number, factor: number): void {
  if (factor === 0) return;
  const offset = index * m.cols;
  for (let j = 0; j < m.cols; j++) target[j]! += factor * m.data[offset + j]!;
}

/** Multiplications from which on the kernel's copies are paid for. */
const WORTH_A_KERNEL = 10_000;

/** A B^T: [A.rows, B.rows]; both operands are read along their rows. Sums run in order, so that one row gives what many give. */
export function timesTransposed(a: Matrix, b: Matrix): Matrix<Float64Array> {
  return product(rowsOf(a), rowsOf(b), false);
}

function product(a: Side, b: Side, symmetric: boolean): Matrix<Float64Array> {
  const kernels = a.count * b.count * a.depth >= WORTH_A_KERNEL && a.count > 4 ? matrixKernels() : undefined;
  const data = kernels ? kernelProduct(kernels, a, b, symmetric) : plainProduct(a, b);
  return matrix(a.count, b.count, data);
}

/** A B^T by plain loops, four columns at a time; the same sums as the kernel's, bit for bit. */
export function plainProduct(a: Side, b: Side): Float64Array {
  const result = new Float64Array(a.count * b.count);
  const { depth } = a;
  for (let i = 0; i < a.count; i++) {
    for (let j = 0; j < b.count; j += 4) {
      const width = Math.min(4, b.count - j);
      // Beyond the last row the first of the four is read again, and its sum is not kept.
      const [p0, p1, p2, p3] = [0, 1, 2, 3].map((k) => (j + (k < width ? k : 0)) * b.rowStep) as [
        number,
        number,
        number,
        number,
      ];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      let at = i * a.rowStep;
      for (let k = 0, step = 0; k < depth; k++, at += a.depthStep, step += b.depthStep) {
        const x = a.data[at]!;
        s0 += x * b.data[p0 + step]!;
        s1 += x * b.data[p1 + step]!;
        s2 += x * b.data[p2 + step]!;
        s3 += x * b.data[p3 + step]!;
      }
      const target = i * b.count + j;
      result[target] = s0;
      if (width > 1) result[target + 1] = s1;
      if (width > 2) result[target + 2] = s2;
      if (width > 3) result[target + 3] = s3;
    }
  }
  return result;
}

/** A B: [A.rows, B.cols]. */
export function times(a: Matrix, b: Matrix): Matrix<Float64Array> {
  return product(rowsOf(a), columnsOf(b), false);
}

/** A^T in float64. */
export function transposed(m: Matrix): Matrix<Float64Array> {
  const result = matrix(m.cols, m.rows);
  for (let i = 0; i < m.rows; i++) {
    for (let j = 0; j < m.cols; j++) result.data[j * m.rows + i] = m.data[i * m.cols + j]!;
  }
  return result;
}

/** A A^T: [rows, rows]. */
export function gram(m: Matrix): Matrix<Float64Array> {
  return product(rowsOf(m), rowsOf(m), true);
}

/** A^T A: [cols, cols]. */
export function gramOfColumns(m: Matrix): Matrix<Float64Array> {
  return product(columnsOf(m), columnsOf(m), true);
}

/** Column means: [cols]. */
export function columnMeans(m: Matrix): Float64Array {
  const mean = new Float64Array(m.cols);
  for (let i = 0; i < m.rows; i++) addScaledRow(mean, m, i, 1);
  return mean.map((sum) => sum / m.rows);
}

/** Rows minus one vector, in float64. */
export function centred(m: Matrix, mean: FloatArray): Matrix<Float64Array> {
  const result = new Float64Array(m.data.length);
  for (let i = 0, at = 0; i < m.rows; i++) {
    for (let j = 0; j < m.cols; j++, at++) result[at] = m.data[at]! - mean[j]!;
  }
  return matrix(m.rows, m.cols, result);
}
