import { expect } from '../errors.js';
import { type Matrix, matrix } from './matrix.js';
import { type RowOperations, rowOperations } from './row-operations.js';

/** Eigenvalues in descending order; row i of `vectors` [n, n] is the unit eigenvector of `values[i]`. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  readonly vectors: Matrix<Float64Array>;
}

/** Sweeps for one eigenvalue; in practice two or three are needed. */
const MOST_SWEEPS = 60;

/**
 * Float64 eigendecomposition of a symmetric matrix [n, n]: reflections to tridiagonal form, then the QL algorithm with
 * Wilkinson's shifts (Golub and Van Loan, *Matrix Computations*, 8.3). Vectors are kept as rows, so that every step runs
 * along memory.
 */
export function symmetricEigen(m: Matrix, makeOperations = rowOperations): SymmetricEigen {
  const n = m.rows;
  const operations = makeOperations(2 * n * n + 4 * n);
  operations.numbers.set(m.data, 0);
  const { diagonal, beside } = tridiagonalise(operations, n);
  diagonalise(operations, n, diagonal, beside);
  const order = [...diagonal.keys()].sort((a, b) => diagonal[b]! - diagonal[a]! || a - b);
  const vectors = matrix(n, n);
  order.forEach((row, place) => {
    const from = n * n + row * n;
    vectors.data.set(operations.numbers.subarray(from, from + n), place * n);
  });
  return { values: Float64Array.from(order, (row) => diagonal[row]!), vectors };
}

/**
 * A = Q T Qᵀ with the matrix at place 0; leaves Qᵀ at place n². Step k mirrors what is right of the subdiagonal of column k
 * away; the mirror vectors take the places of the columns.
 */
function tridiagonalise(
  operations: RowOperations,
  n: number,
): { diagonal: Float64Array; beside: Float64Array } {
  const { numbers } = operations;
  const [mirror, image] = [2 * n * n, 2 * n * n + n];
  const betas = new Float64Array(n);
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    diagonal[k] = numbers[k * n + k]!;
    if (k === n - 1) break;
    const size = n - k - 1;
    const row = k * n + k + 1;
    const { beta, result } = mirrorOf(numbers, row, size);
    beside[k] = result;
    betas[k] = beta;
    if (beta === 0) continue;
    numbers.copyWithin(mirror, row, row + size);
    const rest = (k + 1) * (n + 1);
    operations.multiply(image, rest, mirror, size, size, n);
    let along = 0;
    for (let i = 0; i < size; i++) {
      numbers[image + i]! *= beta;
      along += numbers[image + i]! * numbers[mirror + i]!;
    }
    for (let i = 0; i < size; i++) numbers[image + i]! -= 0.5 * beta * along * numbers[mirror + i]!;
    operations.subtractBoth(rest, mirror, image, size, size, n);
  }
  for (let i = 0; i < n; i++) numbers[n * n + i * (n + 1)] = 1;
  for (let k = n - 2; k >= 0; k--) {
    if (betas[k] === 0) continue;
    const [size, row] = [n - k - 1, k * n + k + 1];
    operations.reflect(n * n + (k + 1) * (n + 1), row, betas[k]!, size, size, n);
  }
  return { diagonal, beside };
}

/** Turns the numbers x at a place into v with (I - beta v vᵀ) x = result e_1. */
function mirrorOf(numbers: Float64Array, at: number, size: number): { beta: number; result: number } {
  const first = numbers[at]!;
  let largest = 0;
  for (let i = 1; i < size; i++) largest = Math.max(largest, Math.abs(numbers[at + i]!));
  if (largest === 0) return { beta: 0, result: first };
  // Scaled, so that squares neither vanish nor overflow.
  const scale = Math.max(largest, Math.abs(first));
  let squares = 0;
  for (let i = 0; i < size; i++) squares += (numbers[at + i]! / scale) ** 2;
  const length = Math.sqrt(squares);
  const result = first > 0 ? -length : length;
  const lead = first / scale - result;
  for (let i = 0; i < size; i++) numbers[at + i]! /= scale;
  numbers[at] = lead;
  return { beta: 2 / (squares - (first / scale) ** 2 + lead * lead), result: result * scale };
}

/** Eigenvalues of the tridiagonal matrix into `diagonal`; turns the rows at place n² along. */
function diagonalise(
  operations: RowOperations,
  n: number,
  diagonal: Float64Array,
  beside: Float64Array,
): void {
  // The reflections have left errors of this size everywhere: what lies below is nothing.
  const negligible =
    Number.EPSILON *
    diagonal.reduce((size, value, i) => Math.max(size, Math.abs(value) + Math.abs(beside[i]!)), 0);
  for (let low = 0; low < n; low++) {
    for (let sweep = 0; ; sweep++) {
      const high = splitAfter(low, n, beside, negligible);
      if (high === low) break;
      expect(sweep < MOST_SWEEPS, () => 'An eigenvalue did not converge; the matrix holds extreme numbers.');
      sweepUp(operations, n, diagonal, beside, low, high);
    }
  }
}

/** End of the block that begins at `low`: the first place whose neighbour below the diagonal is negligible. */
function splitAfter(low: number, n: number, beside: Float64Array, negligible: number): number {
  let high = low;
  while (high < n - 1 && Math.abs(beside[high]!) > negligible) high += 1;
  return high;
}

/** One implicit QL sweep over the block from `high` to `low`. */
function sweepUp(
  operations: RowOperations,
  n: number,
  diagonal: Float64Array,
  beside: Float64Array,
  low: number,
  high: number,
): void {
  const slope = (diagonal[low + 1]! - diagonal[low]!) / (2 * beside[low]!);
  const root = Math.hypot(slope, 1);
  const shift = diagonal[low]! - beside[low]! / (slope + (slope >= 0 ? root : -root));
  let [cosine, sine, carried] = [1, 1, 0];
  let bulge = diagonal[high]! - shift;
  for (let i = high - 1; i >= low; i--) {
    const far = sine * beside[i]!;
    const near = cosine * beside[i]!;
    const length = Math.hypot(far, bulge);
    beside[i + 1] = length;
    if (length === 0) {
      // The block falls apart here; the next search finds where.
      diagonal[i + 1]! -= carried;
      beside[high] = 0;
      return;
    }
    sine = far / length;
    cosine = bulge / length;
    const lifted = diagonal[i + 1]! - carried;
    const spread = (diagonal[i]! - lifted) * sine + 2 * cosine * near;
    carried = sine * spread;
    diagonal[i + 1] = lifted + carried;
    bulge = cosine * spread - near;
    const row = n * n + i * n;
    operations.rotate(row, row + n, n, cosine, sine);
  }
  diagonal[low]! -= carried;
  beside[low] = bulge;
  beside[high] = 0;
}
