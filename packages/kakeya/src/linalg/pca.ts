import { expect } from '../errors.js';
import { canonicaliseSigns, completeRow, orthonormaliseRow } from './basis.js';
import { expectFiniteRows } from './checks.js';
import {
  centred,
  columnMeans,
  gram,
  gramOfColumns,
  type Matrix,
  matrix,
  normalised,
  rowOf,
  vectorTimes,
} from './matrix.js';
import { symmetricEigen } from './symmetric-eigen.js';

/** Which components count: by captured variance alone, or also capped at the numerical rank. */
export type RankRule = 'reference' | 'numerical';

export interface Pca {
  /** Orthonormal rows with canonical signs, [dEff, cols]. */
  readonly basis: Matrix<Float64Array>;
  /** Column means, [cols]. */
  readonly mean: Float64Array;
  readonly dEff: number;
  /** All min(rows, cols) singular values of the centred rows, descending. */
  readonly singularValues: Float64Array;
}

/** Below this share of the largest singular value the Gram route has lost half the digits of a direction. */
const POOR_DIRECTION = 1e-4;
/** Below this share a direction is rounding noise. */
const NO_DIRECTION = 1e-7;

/**
 * Principal components of rows [n, d] that keep `varianceRatio` of the variance, at least two where the shape has
 * two. Works on the smaller Gram matrix in float64. `rankRule: 'numerical'` also drops directions whose singular
 * value is at most 1e-6 of the largest. Throws on no rows, non-finite numbers or a ratio outside (0, 1].
 */
export function computePca(x: Matrix, varianceRatio: number, options: { rankRule?: RankRule } = {}): Pca {
  expect(
    x.rows >= 1 && x.cols >= 1,
    () => `PCA needs at least one row and column, got ${x.rows} x ${x.cols}.`,
  );
  expect(varianceRatio > 0 && varianceRatio <= 1, () => {
    return `The variance ratio of a PCA is ${varianceRatio}; it must be above 0 and at most 1.`;
  });
  expectFiniteRows(x, 'PCA');
  const mean = columnMeans(x);
  const rows = centred(x, mean);
  const wide = x.rows <= x.cols;
  const eigen = symmetricEigen(wide ? gram(rows) : gramOfColumns(rows));
  const singularValues = eigen.values.map((value) => Math.sqrt(Math.max(value, 0)));
  const dEff = retainedRank(singularValues, varianceRatio, options.rankRule ?? 'reference');
  const basis = matrix(dEff, x.cols);
  for (let i = 0; i < dEff; i++) {
    if (singularValues[i]! <= NO_DIRECTION * singularValues[0]!) {
      completeRow(basis, i);
      continue;
    }
    const direction = rowOf(eigen.vectors, i);
    basis.data.set(wide ? normalised(vectorTimes(direction, rows), Number.MIN_VALUE) : direction, i * x.cols);
    if (singularValues[i]! < POOR_DIRECTION * singularValues[0]!) orthonormaliseRow(basis, i);
  }
  canonicaliseSigns(basis);
  return { basis, mean, dEff, singularValues };
}

/** The reference's rule (DERIVATION.md, "PCA"): first component at which the cumulated share reaches the ratio, at least 2. */
function retainedRank(singularValues: Float64Array, ratio: number, rule: RankRule): number {
  const available = singularValues.length;
  const energy = singularValues.map((s) => s * s);
  const total = Math.max(
    energy.reduce((sum, e) => sum + e, 0),
    1e-12,
  );
  let cumulated = 0;
  let rank = available;
  for (let i = 0; i < available; i++) {
    cumulated += energy[i]!;
    if (cumulated / total >= ratio) {
      rank = i + 1;
      break;
    }
  }
  if (rule === 'numerical') {
    const numerical = singularValues.filter((s) => s > 1e-6 * singularValues[0]!).length;
    rank = Math.min(rank, numerical);
  }
  return Math.min(Math.max(rank, 2), available);
}
