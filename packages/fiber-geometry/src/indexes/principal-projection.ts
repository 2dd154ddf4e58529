import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/**
 * Rows `[n, d]` less their mean, in the coordinates of their `width` leading principal directions, `[n, width']`. Where
 * the projection could lose nothing it is left out, since only distances between the rows matter.
 */
export function principalProjection(
  rows: Float64Array,
  n: number,
  d: number,
  width: number,
): { points: Float64Array; width: number } {
  const centred = rows.slice();
  for (let i = 0; i < d; i++) {
    let mean = 0;
    for (let row = 0; row < n; row++) mean += rows[row * d + i]!;
    mean /= n;
    for (let row = 0; row < n; row++) centred[row * d + i]! -= mean;
  }
  if (width >= d || width >= n - 1) return { points: centred, width: d };
  const axes = leadingAxes(centred, n, d, width);
  const points = new Float64Array(n * width);
  for (let row = 0; row < n; row++) {
    for (let axis = 0; axis < width; axis++) {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += centred[row * d + i]! * axes[axis]![i]!;
      points[row * width + axis] = sum;
    }
  }
  return { points, width };
}

/** Right singular vectors, as eigenvectors of the d x d scatter matrix. */
function leadingAxes(centred: Float64Array, n: number, d: number, width: number): number[][] {
  const scatter = Matrix.zeros(d, d);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < d; i++) {
      const factor = centred[row * d + i]!;
      for (let j = i; j < d; j++) {
        const value = scatter.get(i, j) + factor * centred[row * d + j]!;
        scatter.set(i, j, value);
        scatter.set(j, i, value);
      }
    }
  }
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(scatter, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues
    .map((_, index) => index)
    .sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  return order.slice(0, width).map((column) => eigenvectorMatrix.getColumn(column));
}
