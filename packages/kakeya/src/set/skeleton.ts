import type { KakeyaConfig } from '../config.js';
import { expect } from '../errors.js';
import { roundAllToHalf } from '../linalg/float16.js';
import {
  addScaledRow,
  centred,
  dotAt,
  type FloatArray,
  type Matrix,
  matrix,
  normalised,
  takeRows,
  timesTransposed,
  timesVector,
} from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { Random } from '../linalg/random.js';
import { sphericalKMeans } from '../linalg/spherical-kmeans.js';
import { solveAlignedTDir } from './alignment.js';

/** What one Kakeya set learned from its rows: v is near mean + (alpha tDir + tau center + residual) basis. */
export interface Skeleton {
  /** Orthonormal PCA rows, [dEff, D]. */
  readonly basis: Matrix<Float32Array>;
  /** [D]. */
  readonly mean: Float32Array;
  /** Unit direction in PCA space, [dEff]. */
  readonly tDir: Float32Array;
  /** Unit rows, [K, dEff]. */
  readonly centers: Matrix<Float32Array>;
  readonly dEff: number;
  readonly K: number;
  /** Residual entries of a sparse record: min(kakeyaDRes, dEff). */
  readonly dRes: number;
}

/** Rows whose part perpendicular to tDir is at most this long have no direction. */
export const ZERO_PERP = 1e-8;
/** Centers closer than this in cosine say the same thing twice. */
const SAME_DIRECTION = 1 - 1e-6;

export type SkeletonDtype = KakeyaConfig['skeletonDtype'];

/** Rounds to the precision a skeleton is stored in, so that a saved skeleton decodes exactly as the live one. */
export function roundTo(dtype: SkeletonDtype, values: FloatArray): Float32Array {
  const rounded = new Float32Array(values);
  return dtype === 'f16' ? roundAllToHalf(rounded) : rounded;
}

/** {@link roundTo} for a matrix. */
export function roundMatrixTo(dtype: SkeletonDtype, m: Matrix): Matrix<Float32Array> {
  return matrix(m.rows, m.cols, roundTo(dtype, m.data));
}

/** A skeleton from stored parts: checks that the shapes agree. */
export function skeletonFrom(parts: {
  basis: Matrix;
  mean: FloatArray;
  tDir: FloatArray;
  centers: Matrix;
  dRes: number;
}): Skeleton {
  const { basis, mean, tDir, centers } = parts;
  expect(mean.length === basis.cols && tDir.length === basis.rows && centers.cols === basis.rows, () => {
    return `Skeleton parts disagree: basis ${basis.rows} x ${basis.cols}, mean ${mean.length}, tDir ${tDir.length}, centers ${centers.rows} x ${centers.cols}.`;
  });
  expect(basis.rows > 0 && centers.rows > 0, () => 'A skeleton needs at least one basis row and one center.');
  return {
    basis: roundMatrixTo('f32', basis),
    mean: Float32Array.from(mean),
    tDir: Float32Array.from(tDir),
    centers: roundMatrixTo('f32', centers),
    dEff: basis.rows,
    K: centers.rows,
    dRes: Math.min(parts.dRes, basis.rows),
  };
}

/** The configuration a skeleton depends on. */
export type SkeletonOptions = Pick<
  KakeyaConfig,
  'kakeyaVarianceRatio' | 'kakeyaK' | 'kakeyaDRes' | 'mode' | 'assignment' | 'skeletonDtype' | 'seed'
>;

/**
 * PCA, aligned direction and centers of rows [N, D] (DERIVATION.md, "Builds and outliers"). Row order matters: the first row with a
 * direction is the first center. `solveError` is 1 when the PCA space cannot see the axis at all.
 */
export function buildSkeleton(
  vecs: Matrix,
  axisInField: FloatArray,
  options: SkeletonOptions,
): { skeleton: Skeleton; solveError: number } {
  const pca = computePca(vecs, options.kakeyaVarianceRatio, {
    rankRule: options.mode === 'parity' ? 'reference' : 'numerical',
  });
  const basis = roundMatrixTo(options.skeletonDtype, pca.basis);
  const mean = roundTo(options.skeletonDtype, pca.mean);
  const solved = solveAlignedTDir(timesVector(basis, axisInField));
  const tDir = roundTo(options.skeletonDtype, solved.tDir);
  const coefficients = timesTransposed(centred(vecs, mean), basis);
  const directions = perpendicularDirections(coefficients, tDir);
  const centers = directions.rows >= 2 ? clusterDirections(directions, options) : loneCenter(tDir, options);
  return {
    skeleton: skeletonFrom({
      basis,
      mean,
      tDir,
      centers: roundMatrixTo(options.skeletonDtype, centers),
      dRes: options.kakeyaDRes,
    }),
    solveError: solved.error,
  };
}

/** Unit directions perpendicular to tDir of all rows that have one. */
export function perpendicularDirections(coefficients: Matrix, tDir: FloatArray): Matrix {
  const { rows, cols, data } = coefficients;
  const kept = new Float64Array(data.length);
  let at = 0;
  for (let from = 0; from < rows * cols; from += cols) {
    const alpha = dotAt(data, from, tDir, 0, cols);
    for (let i = 0; i < cols; i++) kept[at + i] = data[from + i]! - alpha * tDir[i]!;
    const length = Math.sqrt(dotAt(kept, at, kept, at, cols));
    if (length <= ZERO_PERP) continue;
    for (let i = at; i < at + cols; i++) kept[i]! /= length;
    at += cols;
  }
  return matrix(at / cols, cols, kept.subarray(0, at));
}

/** coefficients - alpha tDir of every row, and alpha = coefficients . tDir. */
export function perpendicularRows(
  coefficients: Matrix,
  tDir: FloatArray,
): { perp: Matrix; alphas: Float64Array } {
  const { rows, cols, data } = coefficients;
  const perp = matrix(rows, cols);
  const alphas = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    const alpha = dotAt(data, at, tDir, 0, cols);
    alphas[row] = alpha;
    for (let i = 0; i < cols; i++, at++) perp.data[at] = data[at]! - alpha * tDir[i]!;
  }
  return { perp, alphas };
}

function clusterDirections(directions: Matrix, options: SkeletonOptions): Matrix {
  const axial = options.assignment === 'axial';
  const { centers } = sphericalKMeans(directions, options.kakeyaK, { axial });
  return options.mode === 'parity' ? centers : withoutDuplicates(centers, axial);
}

/** Rank-one data put several centers on one line; a second copy only costs bits. */
function withoutDuplicates(centers: Matrix, axial: boolean): Matrix {
  const kept: number[] = [];
  for (let i = 0; i < centers.rows; i++) {
    const repeated = kept.some((k) => {
      const cosine = dotAt(centers.data, i * centers.cols, centers.data, k * centers.cols, centers.cols);
      return (axial ? Math.abs(cosine) : cosine) > SAME_DIRECTION;
    });
    if (!repeated) kept.push(i);
  }
  return takeRows(centers, kept);
}

/**
 * The center of a set whose rows have no direction of their own. The reference draws it at random; improved mode
 * takes the first coordinate direction perpendicular to tDir.
 */
function loneCenter(tDir: FloatArray, options: SkeletonOptions): Matrix {
  const d = tDir.length;
  if (options.mode === 'parity') return matrix(1, d, normalised(new Random(options.seed).normals(d)));
  for (let axis = 0; axis < d; axis++) {
    const candidate = matrix(1, d);
    candidate.data[axis] = 1;
    addScaledRow(candidate.data, matrix(1, d, Float64Array.from(tDir)), 0, -tDir[axis]!);
    const length = Math.sqrt(dotAt(candidate.data, 0, candidate.data, 0, d));
    if (length > 0.1) return matrix(1, d, normalised(candidate.data));
  }
  return matrix(1, d, Float64Array.from(tDir));
}

/** float numbers of a skeleton: basis, mean, tDir, centers. */
export function skeletonFloats(r: number, d: number, k: number): number {
  return r * d + d + r + k * r;
}
