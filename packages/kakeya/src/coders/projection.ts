import { type FloatArray, type Matrix, matrix, plainProduct } from '../linalg/matrix.js';
import {
  align,
  DEPTH,
  KERNEL_START,
  type Kernels,
  kernelNumbers,
  matrixKernels,
  pack,
  rowsOf,
} from '../linalg/matrix-kernel.js';

/** Rows x seen from a basis: c = B (x / scale - mean), and the squared length of each row before and after the mean is taken. */
export interface Projected {
  /** [n, r]. */
  readonly coefficients: Matrix<Float64Array>;
  readonly energies: Float64Array;
  readonly spreads: Float64Array;
}

/** What rows are projected with. */
export interface Projector {
  /** [r, D]. */
  readonly basis: Matrix;
  readonly mean: FloatArray;
  /** Factor of every column, or null. */
  readonly scale: Float32Array | null;
}

/** Rows that are projected together: what is computed of them stays near the processor until it is used. */
export const BLOCK_ROWS = 128;
/** Fewer rows are not worth the kernel's copy of the basis. */
const FEWEST_ROWS = 5;

/** Projects rows [n, D], {@link BLOCK_ROWS} at most. One row gives the numbers that many give. */
export function project(
  x: Matrix,
  projector: Projector,
  kernels: Kernels | null = matrixKernels() ?? null,
): Projected {
  return kernels && x.rows >= FEWEST_ROWS ? kernelProject(kernels, x, projector) : plainProject(x, projector);
}

function kernelProject(kernels: Kernels, x: Matrix, { basis, mean, scale }: Projector): Projected {
  const { rows: n, cols } = x;
  const [height, width] = [align(n), align(basis.rows)];
  const meanAt = KERNEL_START;
  const scaleAt = meanAt + align(cols);
  const energiesAt = scaleAt + align(cols);
  const spreadsAt = energiesAt + 2 * height;
  const resultAt = spreadsAt + 2 * height;
  const rowsAt = resultAt + height * width;
  const panelsAt = rowsAt + height * cols;
  const basisAt = panelsAt + height * DEPTH;
  const numbers = kernelNumbers(kernels, basisAt + width * DEPTH);
  numbers.set(mean, meanAt);
  if (scale) numbers.set(scale, scaleAt);
  else numbers.fill(1, scaleAt, scaleAt + cols);
  numbers.fill(0, energiesAt, rowsAt);
  numbers.set(x.data, rowsAt);
  numbers.fill(0, rowsAt + n * cols, panelsAt);
  const side = rowsOf(basis);
  for (let from = 0; from < cols; from += DEPTH) {
    const to = Math.min(from + DEPTH, cols);
    const [rows, scales, means] = [8 * (rowsAt + from), 8 * (scaleAt + from), 8 * (meanAt + from)];
    const [panels, energies, spreads] = [8 * panelsAt, 8 * energiesAt, 8 * spreadsAt];
    kernels.centrePanels(rows, scales, means, height, to - from, cols, panels, energies, spreads);
    pack(numbers, basisAt, basis.rows, [from, to], side.data, 0, side.rowStep, side.depthStep);
    kernels.multiplyAdd(8 * resultAt, panels, 8 * basisAt, height, width, to - from, width);
  }
  const coefficients = matrix(n, basis.rows);
  for (let i = 0; i < n; i++) {
    const at = resultAt + i * width;
    coefficients.data.set(numbers.subarray(at, at + basis.rows), i * basis.rows);
  }
  const summed = (at: number) => {
    const sums = new Float64Array(n);
    for (let i = 0; i < n; i++) sums[i] = numbers[at + 2 * i]! + numbers[at + 2 * i + 1]!;
    return sums;
  };
  return { coefficients, energies: summed(energiesAt), spreads: summed(spreadsAt) };
}

/** The same in plain loops, to the same numbers. */
function plainProject(x: Matrix, { basis, mean, scale }: Projector): Projected {
  const { rows: n, cols, data } = x;
  const energies = new Float64Array(n);
  const spreads = new Float64Array(n);
  const rows = matrix(n, cols);
  for (let i = 0; i < n; i++) {
    // Numbers at even and at odd places.
    const [squares, rests] = [new Float64Array(2), new Float64Array(2)];
    for (let j = 0, at = i * cols; j < cols; j++, at++) {
      const value = scale === null ? data[at]! : data[at]! / scale[j]!;
      const rest = value - mean[j]!;
      rows.data[at] = rest;
      squares[j & 1]! += value * value;
      rests[j & 1]! += rest * rest;
    }
    energies[i] = squares[0]! + squares[1]!;
    spreads[i] = rests[0]! + rests[1]!;
  }
  const coefficients = matrix(n, basis.rows, plainProduct(rowsOf(rows), rowsOf(basis)));
  return { coefficients, energies, spreads };
}
