import { EigenvalueDecomposition, Matrix as MlMatrix, SingularValueDecomposition } from 'ml-matrix';
import { type Matrix, matrix } from './matrix.js';

/** Eigenvalues in descending order; row i of `vectors` [n, n] is the unit eigenvector of `values[i]`. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  readonly vectors: Matrix<Float64Array>;
}

/** Float64 eigendecomposition of a symmetric matrix [n, n] (Householder tridiagonalisation, then QL). */
export function symmetricEigen(m: Matrix): SymmetricEigen {
  const n = m.rows;
  const source = MlMatrix.from1DArray(n, n, m.data as Float64Array);
  const evd = new EigenvalueDecomposition(source, { assumeSymmetric: true });
  const order = evd.realEigenvalues
    .map((_, index) => index)
    .sort((a, b) => evd.realEigenvalues[b]! - evd.realEigenvalues[a]! || a - b);
  const vectors = matrix(n, n);
  order.forEach((column, row) => {
    for (let i = 0; i < n; i++) vectors.data[row * n + i] = evd.eigenvectorMatrix.get(i, column);
  });
  return { values: Float64Array.from(order, (index) => evd.realEigenvalues[index]!), vectors };
}

/** Singular values (descending) and right singular vectors as rows [min(rows, cols), cols], float64. */
export function rightSingular(m: Matrix): { values: Float64Array; vectors: Matrix<Float64Array> } {
  const source = MlMatrix.from1DArray(m.rows, m.cols, m.data as Float64Array);
  const svd = new SingularValueDecomposition(source, {
    autoTranspose: true,
    computeLeftSingularVectors: m.rows < m.cols,
    computeRightSingularVectors: true,
  });
  const count = Math.min(m.rows, m.cols);
  const vectors = matrix(count, m.cols);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < m.cols; j++) {
      vectors.data[i * m.cols + j] = svd.rightSingularVectors.get(j, i);
    }
  }
  return { values: Float64Array.from(svd.diagonal.slice(0, count)), vectors };
}
