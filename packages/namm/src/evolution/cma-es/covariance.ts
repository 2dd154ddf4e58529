import { type MatrixRoot, matrixRoot, type RootMethod } from './matrix-root.js';
import { type Rows, rowOf, rows, squaredNorm } from './rows.js';
import type { CovarianceKind, Strategy } from './strategy.js';

/** What a generation tells the covariance. */
export interface CovarianceUpdate {
  /** Deviations y `[popSize, n]`. */
  readonly deviations: Rows;
  /** Members by fitness, the best first. */
  readonly order: ArrayLike<number>;
  /** Path of the covariance, updated. */
  readonly path: Float64Array;
  /** 0 while the step-size path is so long that the path of the covariance stands still. */
  readonly moves: 0 | 1;
}

/** The form of the distribution, scaled by the step size. */
export interface Covariance {
  /** Numbers that hold it: `[n, n]`, `[n]` or none. */
  readonly values: Float64Array;
  /** C^{±1/2} as it is sampled from in this generation. */
  sampled(): MatrixRoot;
  update(update: CovarianceUpdate): void;
}

export interface CovarianceOptions {
  readonly kind: CovarianceKind;
  readonly size: number;
  readonly strategy: Strategy;
  readonly method: RootMethod;
  /** Added to every entry of what is sampled from, in place of C itself. */
  readonly shift: () => number;
  /** From a saved state; default the unit matrix. */
  readonly values?: Float64Array | undefined;
}

export function createCovariance(options: CovarianceOptions): Covariance {
  const { kind } = options;
  if (kind === 'full') return new FullCovariance(options);
  return kind === 'diagonal' ? new DiagonalCovariance(options) : new UnitCovariance();
}

/** How many numbers hold a covariance of `n` parameters. */
export function covarianceLength(kind: CovarianceKind, n: number): number {
  return kind === 'full' ? n * n : kind === 'diagonal' ? n : 0;
}

/** Of the covariance itself; C is divided by a little where the paths stand still, to keep its variance. */
function decay({ c1, cMu, cC }: Strategy, moves: 0 | 1, weightSum: number): number {
  return 1 + c1 * (1 - moves) * cC * (2 - cC) - c1 - cMu * weightSum;
}

class FullCovariance implements Covariance {
  readonly values: Float64Array;
  readonly #options: CovarianceOptions;
  #sampled: MatrixRoot | undefined;

  constructor(options: CovarianceOptions) {
    const { size: n, values } = options;
    this.#options = options;
    this.values = values ? Float64Array.from(values) : new Float64Array(n * n);
    if (!values) for (let i = 0; i < n; i++) this.values[i * (n + 1)] = 1;
  }

  sampled(): MatrixRoot {
    const { size, method } = this.#options;
    const shift = this.#options.shift();
    const matrix = shift === 0 ? this.values : this.values.map((value) => value + shift);
    this.#sampled ??= matrixRoot(matrix, size, method);
    return this.#sampled;
  }

  update({ deviations, order, path, moves }: CovarianceUpdate): void {
    const { size: n, strategy } = this.#options;
    const { c1, cMu, weights } = strategy;
    const whitened = this.sampled().inverseRoot(deviations);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const factor = decay(strategy, moves, sum);
    // Every term is an outer product: the path, then the members by rank, weakened where they count against their direction.
    const terms = rows(deviations.count + 1, n);
    const scales = new Float64Array(terms.count);
    terms.data.set(path, 0);
    scales[0] = c1;
    for (let rank = 0; rank < deviations.count; rank++) {
      const member = order[rank]!;
      const weight = weights[rank]!;
      const length = weight < 0 ? n / (squaredNorm(rowOf(whitened, member)) + 1e-20) : 1;
      scales[rank + 1] = cMu * weight * length;
      terms.data.set(rowOf(deviations, member), (rank + 1) * n);
    }
    addOuterProducts(this.values, n, factor, terms, scales);
    this.#sampled = undefined;
  }
}

/** C = factor C + sum_t scale_t r_t r_tᵀ, symmetric to the bit. */
function addOuterProducts(
  matrix: Float64Array,
  n: number,
  factor: number,
  terms: Rows,
  scales: Float64Array,
): void {
  const row = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) row[j] = factor * matrix[i * n + j]!;
    for (let t = 0; t < terms.count; t++) {
      const at = t * n;
      const scale = scales[t]! * terms.data[at + i]!;
      if (scale === 0) continue;
      for (let j = i; j < n; j++) row[j]! += scale * terms.data[at + j]!;
    }
    for (let j = i; j < n; j++) {
      matrix[i * n + j] = row[j]!;
      matrix[j * n + i] = row[j]!;
    }
  }
}

/** sep-CMA: a variance for each parameter, learned from the members that move the mean alone. */
class DiagonalCovariance implements Covariance {
  readonly values: Float64Array;
  readonly #options: CovarianceOptions;

  constructor(options: CovarianceOptions) {
    this.#options = options;
    this.values = options.values ? Float64Array.from(options.values) : new Float64Array(options.size).fill(1);
  }

  sampled(): MatrixRoot {
    const shift = this.#options.shift();
    const deviations = this.values.map((value) => Math.sqrt(value + shift));
    const scaled = (source: Rows, power: 1 | -1): Rows => ({
      ...source,
      data: source.data.map((value, i) => value * deviations[i % source.width]! ** power),
    });
    return {
      deviations,
      root: (source) => scaled(source, 1),
      inverseRoot: (source) => scaled(source, -1),
    };
  }

  update({ deviations, order, path, moves }: CovarianceUpdate): void {
    const { strategy } = this.#options;
    const { c1, cMu, weightsTruncated: weights } = strategy;
    const factor = decay(strategy, moves, 1);
    for (let j = 0; j < this.values.length; j++) {
      let spread = 0;
      for (let rank = 0; rank < deviations.count; rank++) {
        const weight = weights[rank]!;
        if (weight > 0) spread += weight * deviations.data[order[rank]! * deviations.width + j]! ** 2;
      }
      this.values[j] = factor * this.values[j]! + c1 * path[j]! ** 2 + cMu * spread;
    }
  }
}

/** A ball: the step size alone is learned. */
class UnitCovariance implements Covariance {
  readonly values = new Float64Array(0);

  sampled(): MatrixRoot {
    const same = (source: Rows): Rows => ({ ...source, data: source.data.slice() });
    return { deviations: Float64Array.of(1), root: same, inverseRoot: same };
  }

  update(): void {}
}
