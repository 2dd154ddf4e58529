import { expect } from '../errors.js';
import { expectFiniteRows } from './checks.js';
import { centred, columnMeans, gram, type Matrix, times, transposed } from './matrix.js';
import { symmetricEigen } from './symmetric-eigen.js';

/**
 * The base-to-field map M [b, D] that best predicts centred field vectors X [n, D] from centred base coordinates
 * Z [n, b]: (Zc^T Zc + lambda I)^-1 Zc^T Xc with lambda = `relative` * trace(Zc^T Zc) / b. axis * M is then the
 * direction in which the data move when the base coordinate moves along the axis. Throws on unequal row counts,
 * fewer than two rows or non-finite numbers. Constant coordinates give the zero map.
 */
export function ridgeMap(z: Matrix, x: Matrix, relative = 1e-3): Matrix<Float64Array> {
  expect(z.rows === x.rows && z.rows >= 2, () => {
    return `ridgeMap: ${z.rows} rows of base coordinates and ${x.rows} rows of field vectors; at least two and equally many are needed.`;
  });
  expect(relative >= 0 && Number.isFinite(relative), () => {
    return `ridgeMap: the relative regularisation is ${relative}; it must be a finite number of at least 0.`;
  });
  expectFiniteRows(z, 'ridgeMap base coordinates');
  expectFiniteRows(x, 'ridgeMap field vectors');
  const zCentred = transposed(centred(z, columnMeans(z)));
  const moments = gram(zCentred);
  let trace = 0;
  for (let i = 0; i < z.cols; i++) trace += moments.data[i * z.cols + i]!;
  const lambda = (relative * trace) / z.cols;
  const cross = times(zCentred, centred(x, columnMeans(x)));
  // Solved in the eigenbasis of the moments, so a singular direction with lambda = 0 gives 0 instead of infinity.
  const { values, vectors } = symmetricEigen(moments);
  const rotated = times(vectors, cross);
  for (let i = 0; i < z.cols; i++) {
    const denominator = values[i]! + lambda;
    const factor = denominator > 1e-12 * Math.max(values[0]!, Number.MIN_VALUE) ? 1 / denominator : 0;
    for (let j = 0; j < x.cols; j++) rotated.data[i * x.cols + j]! *= factor;
  }
  return times(transposed(vectors), rotated);
}
