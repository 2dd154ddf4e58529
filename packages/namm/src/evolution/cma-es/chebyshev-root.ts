import { Rng } from '@palimpsest/base';
import type { MatrixRoot } from './matrix-root.js';
import { type Rows, rowOf, rows, squaredNorm, timesSymmetric } from './rows.js';

const LANCZOS_STEPS = 12;
/** The ends of the spectrum that Lanczos finds lie inside of the true ones. */
const WIDENING = 0.05;
/** Relative error of the polynomial. */
const TOLERANCE = 1e-8;
/** Ratio of the ends of a spectrum above which a decomposition is cheaper and surer. */
const WIDEST = 100;

/**
 * C^{±1/2} times rows as Chebyshev polynomials in C (DERIVATION.md, "CMA-ES without a decomposition"): where the covariance
 * learns slowly its spectrum stays near 1, and a few products do.
 * @returns nothing when the spectrum is too wide for that.
 */
export function chebyshevRoot(matrix: Float64Array, n: number): MatrixRoot | undefined {
  const [least, largest] = spectrumEnds(matrix, n);
  if (!(least > 0) || largest / least > WIDEST) return undefined;
  const apply = (power: number) => {
    const coefficients = chebyshevCoefficients((x) => x ** power, least, largest);
    return (source: Rows) => applyPolynomial(matrix, source, coefficients, least, largest);
  };
  return {
    deviations: Float64Array.of(Math.sqrt(least), Math.sqrt(largest)),
    root: apply(0.5),
    inverseRoot: apply(-0.5),
  };
}

/** An interval around the eigenvalues, from a few steps of Lanczos with full reorthogonalisation. */
export function spectrumEnds(matrix: Float64Array, n: number): [number, number] {
  // Always the same start, so that a search that goes on from its state computes the same.
  const rng = Rng.fromSeed(0);
  let vector = Float64Array.from({ length: n }, () => rng.normal());
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const beside: number[] = [];
  for (let step = 0; step < Math.min(LANCZOS_STEPS, n); step++) {
    const length = Math.sqrt(squaredNorm(vector));
    if (step > 0) {
      // The Krylov space is exhausted: what was found are eigenvalues.
      if (length < 1e-12 * Math.abs(diagonal[0]!)) break;
      beside.push(length);
    }
    const unit = vector.map((value) => value / length);
    basis.push(unit);
    vector = Float64Array.from(rowOf(timesSymmetric(rows(1, n, unit), matrix), 0));
    diagonal.push(inner(unit, vector));
    for (const former of basis) subtract(vector, inner(former, vector), former);
    for (const former of basis) subtract(vector, inner(former, vector), former);
  }
  const [low, high] = [tridiagonalEnd(diagonal, beside, -1), tridiagonalEnd(diagonal, beside, 1)];
  // A multiple of the unit matrix has no spread, and rounding needs room.
  const room = Math.max(WIDENING * (high - low), 1e-9 * Math.abs(high));
  return [low - room, high + room];
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(target: Float64Array, factor: number, source: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i]! -= factor * source[i]!;
}

/** The least (-1) or largest (1) eigenvalue of a symmetric tridiagonal matrix, by bisection over Sturm's count. */
function tridiagonalEnd(diagonal: readonly number[], beside: readonly number[], end: -1 | 1): number {
  const reach = diagonal.map((_, i) => Math.abs(beside[i - 1] ?? 0) + Math.abs(beside[i] ?? 0));
  let low = Math.min(...diagonal.map((value, i) => value - reach[i]!));
  let high = Math.max(...diagonal.map((value, i) => value + reach[i]!));
  const wanted = end === 1 ? diagonal.length : 1;
  for (let step = 0; step < 100 && high > low; step++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (eigenvaluesBelow(middle, diagonal, beside) >= wanted) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

function eigenvaluesBelow(x: number, diagonal: readonly number[], beside: readonly number[]): number {
  let count = 0;
  let pivot = 1;
  diagonal.forEach((value, i) => {
    pivot = value - x - (i === 0 ? 0 : beside[i - 1]! ** 2 / pivot);
    if (pivot === 0) pivot = Number.EPSILON * (Math.abs(value) + 1e-300);
    if (pivot < 0) count += 1;
  });
  return count;
}

/** Coefficients of the interpolation of f on [least, largest], as many as its relative error needs. */
function chebyshevCoefficients(f: (x: number) => number, least: number, largest: number): Float64Array {
  const root = Math.sqrt(largest / least);
  const degree = Math.ceil(Math.log(2 / TOLERANCE) / Math.log((root + 1) / (root - 1))) + 1;
  const nodes = degree + 1;
  const values = Float64Array.from({ length: nodes }, (_, k) =>
    f((largest + least) / 2 + ((largest - least) / 2) * Math.cos((Math.PI * (k + 0.5)) / nodes)),
  );
  return Float64Array.from({ length: nodes }, (_, j) => {
    let sum = 0;
    for (let k = 0; k < nodes; k++) sum += values[k]! * Math.cos((Math.PI * j * (k + 0.5)) / nodes);
    return ((j === 0 ? 1 : 2) * sum) / nodes;
  });
}

/** sum_j c_j T_j(C scaled to [-1, 1]) r for every row, by Clenshaw's recurrence. */
function applyPolynomial(
  matrix: Float64Array,
  source: Rows,
  coefficients: Float64Array,
  least: number,
  largest: number,
): Rows {
  const middle = (largest + least) / 2;
  const half = (largest - least) / 2;
  const { count, width } = source;
  let next = new Float64Array(count * width);
  let current = source.data.map((value) => coefficients[coefficients.length - 1]! * value);
  for (let j = coefficients.length - 2; j >= 0; j--) {
    const product = timesSymmetric(rows(count, width, current), matrix).data;
    const factor = j === 0 ? 1 : 2;
    const former = current;
    const afterNext = next;
    current = product.map((value, i) => {
      const scaled = (value - middle * former[i]!) / half;
      return coefficients[j]! * source.data[i]! + factor * scaled - afterNext[i]!;
    });
    next = former;
  }
  return rows(count, width, current);
}
