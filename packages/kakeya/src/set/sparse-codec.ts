import { decodedRows } from '../coders/vector-coder.js';
import type { KakeyaConfig } from '../config.js';
import { bestColumns } from '../linalg/kmeans.js';
import { largestOf } from '../linalg/largest-entries.js';
import { centred, dotAt, type Matrix, matrix, timesTransposed } from '../linalg/matrix.js';
import { type SparseCode, writeDense } from './record.js';
import { Refitter } from './refit.js';
import { perpendicularRows, type Skeleton, ZERO_PERP } from './skeleton.js';

/** The two options that choose how a sparse code is found; the record and the decoder do not depend on them. */
export type SparseEncoding = Pick<KakeyaConfig, 'encoder' | 'assignment'>;

/** B (v - mean) of rows V [n, D]: [n, dEff]. */
export function coefficientsOf(v: Matrix, skeleton: Skeleton): Matrix<Float64Array> {
  return timesTransposed(centred(v, skeleton.mean), skeleton.basis);
}

/** Sparse codes of rows V [n, D]: two matrix products, then what the encoder asks for per row. */
export function encodeSparseRows(v: Matrix, skeleton: Skeleton, encoding: SparseEncoding): SparseCode[] {
  return sparseCodes(coefficientsOf(v, skeleton), skeleton, encoding);
}

/** Sparse codes of coefficients [n, dEff]. */
export function sparseCodes(
  coefficients: Matrix,
  skeleton: Skeleton,
  encoding: SparseEncoding,
): SparseCode[] {
  const codes = onePassCodes(coefficients, skeleton, encoding.assignment === 'axial');
  if (encoding.encoder !== 'refit') return codes;
  const refitter = new Refitter(skeleton);
  return codes.map((code, i) => refitter.refit(coefficients.data, i * skeleton.dEff, code));
}

/** Spec 5.4: nearest center of the part perpendicular to tDir, then the largest entries of what is left. */
function onePassCodes(coefficients: Matrix, skeleton: Skeleton, axial: boolean): SparseCode[] {
  const { centers, dEff, K, dRes } = skeleton;
  const { perp, alphas } = perpendicularRows(coefficients, skeleton.tDir);
  // Dividing by |perp| would not change the argmax, so it is left out.
  const along = timesTransposed(perp, centers);
  const segments = bestColumns(along, undefined, axial);
  const rest = perp.data;
  const codes: SparseCode[] = [];
  for (let row = 0; row < perp.rows; row++) {
    const from = row * dEff;
    const segId = Math.sqrt(dotAt(rest, from, rest, from, dEff)) <= ZERO_PERP ? 0 : segments[row]!;
    const t = along.data[row * K + segId]!;
    for (let i = from, at = segId * dEff; i < from + dEff; i++, at++) rest[i]! -= t * centers.data[at]!;
    const chosen = largestOf(rest, from, dEff, dRes);
    const residualVals = new Float32Array(chosen.length);
    for (let i = 0; i < chosen.length; i++) residualVals[i] = rest[from + chosen[i]!]!;
    codes.push({
      segId,
      alpha: Math.fround(alphas[row]!),
      t: Math.fround(t),
      residualVals,
      residualIdx: chosen,
    });
  }
  return codes;
}

/** Decoded rows [n, D]: (alpha tDir + t center + residual) B + mean. */
export function decodeSparseRows(codes: readonly SparseCode[], skeleton: Skeleton): Matrix<Float32Array> {
  return decodedRows(denseRows(codes, skeleton), skeleton.basis, skeleton.mean);
}

/** The PCA coefficients that codes stand for, [n, dEff]. */
export function denseRows(codes: readonly SparseCode[], skeleton: Skeleton): Matrix<Float64Array> {
  const { dEff } = skeleton;
  const coefficients = matrix(codes.length, dEff);
  for (let row = 0; row < codes.length; row++) {
    writeDense(codes[row]!, skeleton, coefficients.data, row * dEff);
  }
  return coefficients;
}
