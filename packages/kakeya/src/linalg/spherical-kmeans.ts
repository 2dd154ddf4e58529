import { expect } from '../errors.js';
import { expectFiniteRows, expectInteger } from './checks.js';
import { bestColumns } from './kmeans.js';
import {
  addScaledRow,
  dotAt,
  type Matrix,
  matrix,
  norm,
  rowOf,
  takeRows,
  timesTransposed,
} from './matrix.js';

export interface SphericalKMeans {
  /** Unit rows, [min(k, n), d]. */
  readonly centers: Matrix<Float64Array>;
  /** Center number of every row, [n]. */
  readonly labels: Int32Array;
}

export interface SphericalKMeansOptions {
  /** Rounds at most; default 100. */
  readonly maxIter?: number;
  /** Treats v and -v as the same direction: similarity |cos|, members flipped onto their center. Default false. */
  readonly axial?: boolean;
}

/**
 * k-means on unit rows [n, d] by cosine, without random draws (DERIVATION.md, "Spherical k-means"): farthest-point start from row 0, ties to
 * the lowest index, empty clusters reseeded with the row that fits worst. Rows of zeros have no direction: they belong to
 * the first center and move none. Throws on no rows with a direction, k < 1 or NaN.
 */
export function sphericalKMeans(
  dirs: Matrix,
  k: number,
  options: SphericalKMeansOptions = {},
): SphericalKMeans {
  const maxIter = options.maxIter ?? 100;
  expectInteger(k, 1, 'k of the spherical k-means');
  expectInteger(maxIter, 0, 'maxIter of the spherical k-means');
  expect(dirs.rows > 0 && dirs.cols > 0, () => 'Spherical k-means needs at least one row and one column.');
  expectFiniteRows(dirs, 'Spherical k-means');
  const directed = rowsWithDirection(dirs);
  expect(directed.length > 0, () => 'Spherical k-means needs at least one row that is not zero throughout.');
  if (directed.length < dirs.rows) {
    const { centers, labels: own } = sphericalKMeans(takeRows(dirs, directed), k, options);
    const labels = new Int32Array(dirs.rows);
    directed.forEach((row, i) => {
      labels[row] = own[i]!;
    });
    return { centers, labels };
  }
  const count = Math.min(k, dirs.rows);
  const axial = options.axial ?? false;
  const labels = new Int32Array(dirs.rows);
  const centers = farthestPointStart(dirs, count, axial);
  if (count <= 1) return { centers, labels };
  for (let round = 0; round < maxIter; round++) {
    if (!assign(dirs, centers, labels, axial)) break;
    update(dirs, centers, labels, axial);
  }
  return { centers, labels };
}

function rowsWithDirection(dirs: Matrix): number[] {
  return Array.from({ length: dirs.rows }, (_, row) => row).filter((row) => norm(rowOf(dirs, row)) > 0);
}

function similarity(dirs: Matrix, row: number, centers: Matrix, center: number, axial: boolean): number {
  const cosine = dotAt(dirs.data, row * dirs.cols, centers.data, center * dirs.cols, dirs.cols);
  return axial ? Math.abs(cosine) : cosine;
}

/** A running best cosine per row makes the start O(n k d) where restacking all cosines is O(n k^2 d). */
function farthestPointStart(dirs: Matrix, count: number, axial: boolean): Matrix<Float64Array> {
  const centers = matrix(count, dirs.cols);
  centers.data.set(rowOf(dirs, 0));
  const best = new Float64Array(dirs.rows).fill(-Infinity);
  for (let c = 1; c < count; c++) {
    let farthest = 0;
    for (let i = 0; i < dirs.rows; i++) {
      best[i] = Math.max(best[i]!, similarity(dirs, i, centers, c - 1, axial));
      if (best[i]! < best[farthest]!) farthest = i;
    }
    centers.data.set(rowOf(dirs, farthest), c * dirs.cols);
  }
  return centers;
}

/** Gives every row its most similar center; false when nothing changed. */
function assign(dirs: Matrix, centers: Matrix, labels: Int32Array, axial: boolean): boolean {
  const nearest = bestColumns(timesTransposed(dirs, centers), undefined, axial);
  const changed = nearest.some((label, row) => labels[row] !== label);
  labels.set(nearest);
  return changed;
}

/** Clusters in order: the mean of the members, or for an empty one the row that the current centers serve worst. */
function update(dirs: Matrix, centers: Matrix, labels: Int32Array, axial: boolean): void {
  const members: number[][] = Array.from({ length: centers.rows }, () => []);
  labels.forEach((label, row) => {
    members[label]!.push(row);
  });
  for (let c = 0; c < centers.rows; c++) {
    // Reseeding moves a row's label, so membership is read from the labels as they are now.
    const own = members[c]!.filter((row) => labels[row] === c);
    if (own.length === 0) {
      const worst = worstServedRow(dirs, centers, axial);
      centers.data.set(rowOf(dirs, worst), c * dirs.cols);
      labels[worst] = c;
      members[c]!.push(worst);
      continue;
    }
    setToMean(dirs, centers, c, own, axial);
  }
}

function setToMean(dirs: Matrix, centers: Matrix, c: number, rows: readonly number[], axial: boolean): void {
  const sum = new Float64Array(dirs.cols);
  for (const row of rows) {
    const isFlipped = axial && dotAt(dirs.data, row * dirs.cols, centers.data, c * dirs.cols, dirs.cols) < 0;
    addScaledRow(sum, dirs, row, isFlipped ? -1 : 1);
  }
  const length = norm(sum) / rows.length;
  // Members that cancel out have no common direction: the center stays where it is.
  if (length === 0) return;
  const scale = 1 / (rows.length * Math.max(length, 1e-8));
  for (let j = 0; j < dirs.cols; j++) centers.data[c * dirs.cols + j] = sum[j]! * scale;
}

function worstServedRow(dirs: Matrix, centers: Matrix, axial: boolean): number {
  let worst = 0;
  let worstBest = Infinity;
  for (let i = 0; i < dirs.rows; i++) {
    let best = -Infinity;
    for (let c = 0; c < centers.rows; c++) best = Math.max(best, similarity(dirs, i, centers, c, axial));
    if (best < worstBest) {
      worstBest = best;
      worst = i;
    }
  }
  return worst;
}
