import { Matrix as MlMatrix, SingularValueDecomposition } from 'ml-matrix';
import { type Matrix, matrix } from './matrix.js';

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
