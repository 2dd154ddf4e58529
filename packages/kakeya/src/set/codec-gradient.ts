import { expect } from '../errors.js';
import {
  addScaledRow,
  dot,
  dotAt,
  type FloatArray,
  type Matrix,
  matrix,
  norm,
  rowOf,
  timesVector,
  vectorTimes,
} from '../linalg/matrix.js';
import type { SparseCode } from './record.js';
import type { Skeleton } from './skeleton.js';
import { coefficientsOf, decodeSparseRows, encodeSparseRows, type SparseEncoding } from './sparse-codec.js';

/** Gradients of a scalar through decode(encode(V)), with center numbers and residual indices held constant. */
export interface CodecGradient {
  /** By the vectors, [n, D]. */
  readonly vecs: Matrix<Float64Array>;
  /** By the aligned direction, summed over rows, [dEff]. */
  readonly tDir: Float64Array;
}

/**
 * Vector-Jacobian product of the batched one-pass codec at rows V [n, D] for a cotangent [n, D] on the decoded rows.
 * With c = B (v - mean), alpha = c.t, p = c - alpha t, tau = p.s and rho = p - tau s restricted to the stored entries,
 * the decoded coefficients are alpha t + tau s + rho. Throws on unequal shapes.
 */
export function codecGradient(
  vecs: Matrix,
  skeleton: Skeleton,
  codes: readonly Pick<SparseCode, 'segId' | 'residualIdx'>[],
  cotangent: Matrix,
): CodecGradient {
  const { basis, tDir, centers, dEff } = skeleton;
  expect(vecs.rows === cotangent.rows && codes.length === vecs.rows && cotangent.cols === basis.cols, () => {
    return `codecGradient: ${vecs.rows} rows, ${codes.length} codes and a ${cotangent.rows} x ${cotangent.cols} cotangent; all need ${vecs.rows} rows, the cotangent ${basis.cols} columns.`;
  });
  const coefficients = coefficientsOf(vecs, skeleton);
  const t = Float64Array.from(tDir);
  const result = { vecs: matrix(vecs.rows, basis.cols), tDir: new Float64Array(dEff) };
  codes.forEach(({ segId, residualIdx }, row) => {
    const c = rowOf(coefficients, row);
    const center = Float64Array.from(rowOf(centers, segId));
    const alpha = dotAt(c, 0, t, 0, dEff);
    const decoded = timesVector(basis, rowOf(cotangent, row));
    const byResidual = new Float64Array(dEff);
    for (const index of residualIdx) byResidual[index] = decoded[index]!;
    const byTau = dot(decoded, center) - dot(byResidual, center);
    const byPerp = byResidual.map((value, i) => value + byTau * center[i]!);
    const byAlpha = dot(decoded, t) - dot(byPerp, t);
    const target = rowOf(result.vecs, row);
    for (let i = 0; i < dEff; i++) {
      addScaledRow(target, basis, i, byPerp[i]! + byAlpha * t[i]!);
      result.tDir[i]! += alpha * decoded[i]! - alpha * byPerp[i]! + byAlpha * c[i]!;
    }
  });
  return result;
}

/** Gradients of a scalar by what the aligned direction t = B (axis M) / |B (axis M)| was made of. */
export interface DirectionGradient {
  /** [dBase, D]. */
  readonly map: Matrix<Float64Array>;
  /** [dBase]. */
  readonly axis: Float64Array;
}

/** Carries a gradient by tDir on to the base-to-field map and the bundle axis, so that the map can be trained. */
export function directionGradient(
  byTDir: FloatArray,
  axis: FloatArray,
  map: Matrix,
  basis: Matrix,
): DirectionGradient {
  const target = timesVector(basis, vectorTimes(axis, map));
  const length = norm(target);
  expect(
    length >= 1e-8,
    () => 'directionGradient: the axis projects to zero, where the direction has no gradient.',
  );
  const t = target.map((x) => x / length);
  const along = dot(t, Float64Array.from(byTDir));
  const byTarget = t.map((direction, i) => (byTDir[i]! - along * direction) / length);
  const byAxisInField = vectorTimes(byTarget, basis);
  const byMap = matrix(map.rows, map.cols);
  axis.forEach((value, i) => {
    byMap.data.set(
      byAxisInField.map((x) => x * value),
      i * map.cols,
    );
  });
  return { map: byMap, axis: timesVector(map, byAxisInField) };
}

/** Mean squared reconstruction error of rows, and its gradients. */
export function reconstructionLoss(
  vecs: Matrix,
  skeleton: Skeleton,
  encoding: SparseEncoding = { encoder: 'parity', assignment: 'signed' },
): { loss: number; gradient: CodecGradient } {
  const codes = encodeSparseRows(vecs, skeleton, { ...encoding, encoder: 'parity' });
  const decoded = decodeSparseRows(codes, skeleton);
  const count = vecs.data.length;
  const cotangent = matrix(vecs.rows, vecs.cols);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const difference = decoded.data[i]! - vecs.data[i]!;
    loss += (difference * difference) / count;
    cotangent.data[i] = (2 * difference) / count;
  }
  const gradient = codecGradient(vecs, skeleton, codes, cotangent);
  // The loss also depends on the rows directly, not only through the codec.
  for (let i = 0; i < count; i++) gradient.vecs.data[i]! -= cotangent.data[i]!;
  return { loss, gradient };
}
