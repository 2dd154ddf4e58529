import { expect } from '../errors.js';
import { canonicaliseSigns } from './basis.js';
import { expectFiniteRows, expectInteger } from './checks.js';
import { rightSingular } from './decomposition.js';
import { centred, columnMeans, type Matrix, matrix } from './matrix.js';

/**
 * PCA of a stream of batches (Ross et al. 2008): without a rank limit the mean and singular values equal those of
 * one PCA over all rows so far. State: n, mean [d], singular values [r] and basis [r, d].
 */
export class IncrementalPca {
  #count = 0;
  #mean = new Float64Array(0);
  #singularValues = new Float64Array(0);
  #basis: Matrix<Float64Array> = matrix(0, 0);

  /** Rows seen so far. */
  get count(): number {
    return this.#count;
  }
  get mean(): Float64Array {
    return this.#mean;
  }
  /** Descending; components at or below 1e-10 of the largest are dropped. */
  get singularValues(): Float64Array {
    return this.#singularValues;
  }
  /** Orthonormal rows with canonical signs, [rank, d]. */
  get basis(): Matrix<Float64Array> {
    return this.#basis;
  }

  /**
   * Takes a batch of rows [m, d]; keeps at most `maxRank` components (default: all). Throws on an empty batch,
   * another width or non-finite numbers, and then changes nothing.
   */
  update(batch: Matrix, maxRank = Number.MAX_SAFE_INTEGER): void {
    expectInteger(maxRank, 1, 'maxRank of an incremental PCA update');
    expect(batch.rows > 0 && batch.cols > 0, () => {
      return `An incremental PCA batch is ${batch.rows} x ${batch.cols}; it needs at least one row and column.`;
    });
    expect(this.#count === 0 || batch.cols === this.#mean.length, () => {
      return `An incremental PCA batch has ${batch.cols} columns where ${this.#mean.length} were expected.`;
    });
    expectFiniteRows(batch, 'Incremental PCA batch');
    const batchMean = columnMeans(batch);
    const stacked = this.#count === 0 ? centred(batch, batchMean) : this.#stack(batch, batchMean);
    const { values, vectors } = rightSingular(stacked);
    const kept = Math.min(values.filter((s) => s > 1e-10 * values[0]!).length, maxRank);
    const basis = matrix(kept, batch.cols, vectors.data.slice(0, kept * batch.cols));
    canonicaliseSigns(basis);
    const total = this.#count + batch.rows;
    const previous = this.#count;
    this.#mean = batchMean.map((m, j) => ((this.#mean[j] ?? 0) * previous + m * batch.rows) / total);
    this.#count = total;
    this.#singularValues = values.slice(0, kept);
    this.#basis = basis;
  }

  /** [diag(S) V; X - mean_x; sqrt(nm/(n+m)) (mean - mean_x)]: its Gram matrix is that of all rows about the new mean. */
  #stack(batch: Matrix, batchMean: Float64Array): Matrix {
    const rank = this.#basis.rows;
    const d = batch.cols;
    const stacked = matrix(rank + batch.rows + 1, d);
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < d; j++) {
        stacked.data[i * d + j] = this.#singularValues[i]! * this.#basis.data[i * d + j]!;
      }
    }
    stacked.data.set(centred(batch, batchMean).data, rank * d);
    const weight = Math.sqrt((this.#count * batch.rows) / (this.#count + batch.rows));
    for (let j = 0; j < d; j++) {
      stacked.data[(rank + batch.rows) * d + j] = weight * (this.#mean[j]! - batchMean[j]!);
    }
    return stacked;
  }
}
