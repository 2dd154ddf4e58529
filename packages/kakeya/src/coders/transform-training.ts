import { expect } from '../errors.js';
import { canonicaliseSigns } from '../linalg/basis.js';
import { expectInteger, expectVector } from '../linalg/checks.js';
import { bestColumns } from '../linalg/kmeans.js';
import {
  addScaledRow,
  centred,
  columnMeans,
  evenRows,
  type FloatArray,
  gramOfColumns,
  type Matrix,
  matrix,
  norm,
  rowOf,
  times,
  timesTransposed,
  timesVector,
} from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { type SphericalKMeansOptions, sphericalKMeans } from '../linalg/spherical-kmeans.js';
import { symmetricEigen } from '../linalg/symmetric-eigen.js';
import { solveAlignedTDir } from '../set/alignment.js';
import {
  perpendicularDirections,
  perpendicularRows,
  roundMatrixTo,
  roundTo,
  type SkeletonDtype,
  ZERO_PERP,
} from '../set/skeleton.js';
import { quantise, segmentBits, type TransformOptions, type TransformState } from './transform-state.js';
import { waterfill } from './waterfill.js';

/** Rows at most that centers are learned from: more of them move the centers less than the residual coder can tell. */
export const CENTERED_ON = 4_096;

/** Variance the PCA of a transform coder keeps: more than a sparse set, as it pays for components only in bits. */
export const TRANSFORM_VARIANCE_RATIO = 0.9999;

/** Learns a transform coder's state from rows X [n, D] and an axis [D] (DERIVATION.md, "Byte coders"). */
export function trainTransform(x: Matrix, axis: FloatArray, options: TransformOptions): TransformState {
  const dtype: SkeletonDtype = options.skeletonDtype ?? 'f32';
  expect(x.rows >= 2, () => `The transform coder needs at least two rows to learn from, got ${x.rows}.`);
  expectInteger(options.bytesPerVec, 1, 'bytesPerVec of the transform coder');
  expectInteger(options.k ?? 64, 1, 'k of the transform coder');
  expectVector(axis, x.cols, 'The axis of the transform coder');
  const { basis, mean } = computePca(x, TRANSFORM_VARIANCE_RATIO, { rankRule: 'numerical' });
  const tDir = solveAlignedTDir(timesVector(basis, axis)).tDir;
  const coefficients = timesTransposed(centred(x, mean), basis);
  const centers = trainCenters(evenRows(coefficients, CENTERED_ON), tDir, options.k ?? 64);
  const budget = 8 * options.bytesPerVec - segmentBits(centers.rows) - 16;
  expect(budget >= 0, () => {
    const needed = Math.ceil((16 + segmentBits(centers.rows)) / 8);
    return `${options.bytesPerVec} bytes cannot hold a center number and two 8-bit lengths; give bytesPerVec at least ${needed}.`;
  });
  const { residuals, scales } = residualsOf(coefficients, tDir, centers);
  const frame = rotateToResiduals({ basis, mean, tDir, centers }, residuals, dtype);
  return { ...frame.parts, bits: waterfill(frame.variances, budget), scales: roundTo('f32', scales) };
}

/** A coder's parts before the residual's frame is known, in PCA coordinates. */
export interface UnrotatedParts {
  readonly basis: Matrix;
  readonly mean: Float64Array;
  readonly tDir: Float64Array;
  readonly centers: Matrix;
}

/** Turns every part into the principal frame of the residuals [n, r], so that no second matrix is kept. */
export function rotateToResiduals(
  parts: UnrotatedParts,
  residuals: Matrix,
  dtype: SkeletonDtype,
): { parts: Omit<TransformState, 'bits' | 'scales'>; variances: Float64Array } {
  const residualMean = columnMeans(residuals);
  const { variances, rotation } = principalFrame(centred(residuals, residualMean));
  const rotated = (v: Float64Array) => roundTo(dtype, timesVector(rotation, v));
  return {
    parts: {
      basis: roundMatrixTo(dtype, times(rotation, parts.basis)),
      mean: roundTo(dtype, parts.mean),
      tDir: rotated(parts.tDir),
      centers: roundMatrixTo(dtype, timesTransposed(parts.centers, rotation)),
      residualMean: rotated(residualMean),
      sigma: roundTo('f32', variances.map(Math.sqrt)),
    },
    variances,
  };
}

/** Segment centers of PCA coefficients [n, r]. */
export function trainCenters(
  coefficients: Matrix,
  tDir: Float64Array,
  k: number,
  options: SphericalKMeansOptions = {},
): Matrix {
  const directions = perpendicularDirections(coefficients, tDir);
  if (directions.rows > 0) return sphericalKMeans(directions, k, options).centers;
  // Rows without any direction of their own: one center that tau = 0 will never use.
  const lone = matrix(1, tDir.length);
  lone.data[tDir.length - 1] = 1;
  return lone;
}

/** What alpha and tau, as they will be decoded, leave of every row; and the steps they are coded with. */
export function residualsOf(
  coefficients: Matrix,
  tDir: Float64Array,
  centers: Matrix,
): { residuals: Matrix; scales: Float64Array } {
  const n = coefficients.rows;
  const { perp, alphas } = perpendicularRows(coefficients, tDir);
  const along = timesTransposed(perp, centers);
  const segments = bestColumns(along);
  const taus = Float64Array.from(segments, (segment, i) => {
    // Rows without a direction of their own take the first center, as they do when they are coded.
    if (norm(rowOf(perp, i)) > ZERO_PERP) return along.data[i * centers.rows + segment]!;
    segments[i] = 0;
    return along.data[i * centers.rows]!;
  });
  const step = (values: Float64Array) =>
    Math.fround(values.reduce((largest, x) => Math.max(largest, Math.abs(x)), 127e-12) / 127);
  const scales = Float64Array.of(step(alphas), step(taus));
  const residuals = matrix(n, coefficients.cols, Float64Array.from(coefficients.data));
  const direction = matrix(1, tDir.length, tDir);
  for (let i = 0; i < n; i++) {
    const row = rowOf(residuals, i);
    addScaledRow(row, direction, 0, -quantise(alphas[i]!, scales[0]!) * scales[0]!);
    addScaledRow(row, centers, segments[i]!, -quantise(taus[i]!, scales[1]!) * scales[1]!);
  }
  return { residuals, scales };
}

/** Population variances (descending) and principal directions as rows [r, r] of centred rows [n, r]. */
function principalFrame(rows: Matrix): { variances: Float64Array; rotation: Matrix } {
  const { values, vectors } = symmetricEigen(gramOfColumns(rows));
  // Rounding may turn a direction round, and a trellis codes v and -v differently.
  canonicaliseSigns(vectors);
  return { variances: values.map((value) => Math.max(value, 0) / rows.rows), rotation: vectors };
}
