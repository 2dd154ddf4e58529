import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { chebyshevRoot } from './chebyshev-root.js';
import type { Rows } from './rows.js';
import { rows, timesSymmetric } from './rows.js';

/** A symmetric positive matrix C by what it does to rows: C^{1/2} r and C^{-1/2} r, both symmetric, so free of a basis. */
export interface MatrixRoot {
  /** Square roots of eigenvalues: all of them, or the least and the largest alone where nobody computed the others. */
  readonly deviations: Float64Array;
  root(source: Rows): Rows;
  inverseRoot(source: Rows): Rows;
}

/** Eigenvalues at or below 0 count as this. */
const LEAST_EIGENVALUE = 1e-20;

/** How C^{±1/2} is computed. `auto`: by decomposition up to `MOST_DECOMPOSED` parameters, by polynomials above. */
export type RootMethod = 'auto' | 'eigen' | 'chebyshev';

/** Up to this size a decomposition takes less than a second. */
const MOST_DECOMPOSED = 400;

/**
 * The root of a symmetric matrix `[n, n]`. A matrix of so wide a spectrum that a polynomial would take longer is decomposed
 * whatever was asked for.
 */
export function matrixRoot(matrix: Float64Array, n: number, method: RootMethod = 'auto'): MatrixRoot {
  const isSmall = method === 'auto' && n <= MOST_DECOMPOSED;
  return (isSmall || method === 'eigen' ? undefined : chebyshevRoot(matrix, n)) ?? eigenRoot(matrix, n);
}

function eigenRoot(matrix: Float64Array, n: number): MatrixRoot {
  const decomposition = new EigenvalueDecomposition(Matrix.from1DArray(n, n, matrix), {
    assumeSymmetric: true,
  });
  const deviations = Float64Array.from(decomposition.realEigenvalues, (value) =>
    Math.sqrt(value > 0 ? value : LEAST_EIGENVALUE),
  );
  const vectors = Float64Array.from(decomposition.eigenvectorMatrix.to1DArray());
  const roots = symmetricOf(vectors, deviations, n);
  let inverse: Float64Array | undefined;
  return {
    deviations,
    root: (source) => timesSymmetric(source, roots),
    inverseRoot(source) {
      inverse ??= symmetricOf(
        vectors,
        deviations.map((deviation) => 1 / deviation),
        n,
      );
      return timesSymmetric(source, inverse);
    },
  };
}

/** V diag(values) Vᵀ `[n, n]`, eigenvectors in columns; symmetric to the bit. */
function symmetricOf(vectors: Float64Array, values: Float64Array, n: number): Float64Array {
  const scaled = rows(
    n,
    n,
    vectors.map((value, index) => value * values[index % n]!),
  );
  const product = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += scaled.data[i * n + k]! * vectors[j * n + k]!;
      product[i * n + j] = sum;
      product[j * n + i] = sum;
    }
  }
  return product;
}
