import type { KakeyaConfig } from './config.js';
import { largestEntries } from './largest-entries.js';
import {
  addScaledRow,
  dotAt,
  type FloatArray,
  type Matrix,
  matrix,
  rowOf,
  timesTransposed,
} from './matrix.js';
import { denseCoefficients, type SparseCode } from './record.js';
import { refitCode } from './refit.js';
import { perpendicular, type Skeleton, ZERO_PERP } from './skeleton.js';

/** The two options that choose how a sparse code is found; the record and the decoder do not depend on them. */
export type SparseEncoding = Pick<KakeyaConfig, 'encoder' | 'assignment'>;

/** B (v - mean) of rows V [n, D]: [n, dEff]. */
export function coefficientsOf(v: Matrix, skeleton: Skeleton): Matrix<Float64Array> {
  const centredRows = matrix(v.rows, v.cols);
  for (let i = 0; i < v.rows; i++) {
    for (let j = 0; j < v.cols; j++) {
      centredRows.data[i * v.cols + j] = v.data[i * v.cols + j]! - skeleton.mean[j]!;
    }
  }
  return timesTransposed(centredRows, skeleton.basis);
}

/** Sparse code of one row of PCA coefficients [dEff]. */
export function encodeCoefficients(
  coefficients: FloatArray,
  skeleton: Skeleton,
  encoding: SparseEncoding,
): SparseCode {
  const parity = onePassCode(coefficients, skeleton, encoding.assignment === 'axial');
  return encoding.encoder === 'refit' ? refitCode(coefficients, skeleton, parity) : parity;
}

/** Spec 5.4: nearest center of the part perpendicular to tDir, then the largest entries of what is left. */
function onePassCode(coefficients: FloatArray, skeleton: Skeleton, axial: boolean): SparseCode {
  const { tDir, centers, dEff } = skeleton;
  const alpha = dotAt(coefficients, 0, tDir, 0, dEff);
  const perp = perpendicular(coefficients, tDir);
  const segId = nearestCenter(perp, centers, axial);
  const t = dotAt(perp, 0, centers.data, segId * dEff, dEff);
  addScaledRow(perp, centers, segId, -t);
  const chosen = largestEntries(perp, skeleton.dRes);
  return {
    segId,
    alpha: Math.fround(alpha),
    t: Math.fround(t),
    residualVals: Float32Array.from(chosen, (index) => perp[index]!),
    residualIdx: chosen,
  };
}

/** Dividing by |perp| would not change the argmax, so it is left out. */
export function nearestCenter(perp: FloatArray, centers: Matrix, axial: boolean): number {
  if (Math.sqrt(dotAt(perp, 0, perp, 0, perp.length)) <= ZERO_PERP) return 0;
  let best = 0;
  let bestValue = -Infinity;
  for (let k = 0; k < centers.rows; k++) {
    const value = dotAt(centers.data, k * centers.cols, perp, 0, centers.cols);
    const score = axial ? Math.abs(value) : value;
    if (score > bestValue) {
      bestValue = score;
      best = k;
    }
  }
  return best;
}

/** Sparse codes of rows V [n, D]: one matrix product, then per row what {@link encodeCoefficients} does. */
export function encodeSparseRows(v: Matrix, skeleton: Skeleton, encoding: SparseEncoding): SparseCode[] {
  const coefficients = coefficientsOf(v, skeleton);
  return Array.from({ length: v.rows }, (_, i) =>
    encodeCoefficients(rowOf(coefficients, i), skeleton, encoding),
  );
}

/** Decoded rows [n, D]: (alpha tDir + t center + residual) B + mean. */
export function decodeSparseRows(codes: readonly SparseCode[], skeleton: Skeleton): Matrix<Float32Array> {
  const { basis, mean } = skeleton;
  const result = matrix(codes.length, basis.cols, new Float32Array(codes.length * basis.cols));
  codes.forEach((code, row) => {
    const sum = Float64Array.from(mean);
    denseCoefficients(code, skeleton).forEach((value, i) => {
      addScaledRow(sum, basis, i, value);
    });
    result.data.set(sum, row * basis.cols);
  });
  return result;
}
