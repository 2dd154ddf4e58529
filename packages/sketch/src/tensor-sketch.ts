import { InputError } from '@palimpsest/base';
import { type FloatArray, zerosLike } from './arrays.js';
import { countRows, expectLength, expectNumbers, expectOneOf, positiveInteger } from './checks.js';
import { CONVOLUTION_METHODS, type ConvolutionMethod } from './circular.js';
import { multiplyComplex } from './complex.js';
import { CountSketch } from './count-sketch.js';
import { type DirectProduct, directProductCost, planDirectProduct } from './direct-product.js';
import { Fft } from './fft.js';
import { fftCost } from './fft-cores.js';
import { createIndependentTables, createTable, type SketchTable } from './sketch-table.js';

export interface TensorSketchOptions {
  /** Input length d. */
  readonly dim: number;
  /** Sketch length m. */
  readonly sketchDim: number;
  /** Degree p of the polynomial kernel, at least 1. Default 2. */
  readonly degree?: number;
  /** Factor γ on the inner product, positive. Default 1. */
  readonly gamma?: number;
  /** Constant term c, not negative; above 0 one constant channel is appended. Default 0. */
  readonly coef0?: number;
  /** Seed of the first table; the others take the following ones. Default 42. */
  readonly seed?: number;
  /** 'direct' convolves the few non-zeros, 'fft' multiplies spectra, 'auto' takes the cheaper one. Default 'auto'. */
  readonly method?: ConvolutionMethod;
  /** One table for all factors: biased and symmetric (DERIVATION.md, "TensorSketch"), for parity with OSAM's reference only. Default false. */
  readonly sharedTable?: boolean;
  /** Tables to use instead of drawing them; one per factor, for d inputs, or d + 1 with a constant channel. */
  readonly tables?: readonly SketchTable[];
  /** Refuse NaN inputs. Default false. */
  readonly validate?: boolean;
}

/**
 * TensorSketch (Pham & Pagh 2013): a random feature map of the polynomial kernel, E⟨T(x), T(y)⟩ = (γ⟨x, y⟩ + c)^p with
 * independent tables. T(x) = S₁x ⊛ … ⊛ S_px is the CountSketch of x^{⊗p} under the composite hash Σ_j h_j(i_j) mod m.
 */
export class TensorSketch {
  readonly tables: readonly SketchTable[];
  readonly degree: number;
  readonly sketchDim: number;
  readonly dim: number;
  readonly #gamma: number;
  readonly #coef0: number;
  readonly #validate: boolean;
  readonly #useDirect: boolean;
  readonly #sketches: readonly CountSketch[];
  #direct: DirectProduct | undefined;

  /** @throws InputError for sizes, factors, tables or a method out of their range */
  constructor(options: TensorSketchOptions) {
    const { dim, sketchDim, degree = 2, gamma = 1, coef0 = 0, method = 'auto' } = options;
    positiveInteger(dim, 'dim');
    positiveInteger(sketchDim, 'sketchDim');
    positiveInteger(degree, 'degree');
    expectOneOf(method, CONVOLUTION_METHODS, 'method');
    if (!(gamma > 0 && gamma < Infinity)) throw new InputError(`gamma must be positive, but is ${gamma}.`);
    if (!(coef0 >= 0 && coef0 < Infinity))
      throw new InputError(`coef0 must not be negative, but is ${coef0}.`);
    this.dim = dim;
    this.degree = degree;
    this.sketchDim = sketchDim;
    this.#gamma = gamma;
    this.#coef0 = coef0;
    this.#validate = options.validate ?? false;
    const width = this.#width;
    this.tables = tablesOf(options, degree, width);
    this.#sketches = this.tables.map((table) => new CountSketch(table));
    this.#useDirect = method === 'direct' || (method === 'auto' && isDirectCheaper(width, sketchDim, degree));
  }

  /**
   * T(x) for every row.
   * @param x `[..., dim]`
   * @returns `[..., sketchDim]` in the same precision
   * @throws InputError when the values are no whole rows of dim
   */
  transform<T extends FloatArray>(x: T): T {
    return this.transformFactors(new Array<T>(this.degree).fill(x));
  }

  /**
   * S₁x¹ ⊛ … ⊛ S_px^p: another input for every factor, so that E⟨T(x¹..x^p), T(y¹..y^p)⟩ = Π_j (γ⟨x^j, y^j⟩ + c).
   * @param factors p arrays `[..., dim]` with equally many rows
   * @returns `[..., sketchDim]` in the first array's precision
   * @throws InputError for another number of factors, or rows that do not fit
   */
  transformFactors<T extends FloatArray>(factors: readonly T[]): T {
    expectLength(factors, this.degree, 'factors');
    const rows = countRows(factors[0]!, this.dim, 'Factor 0');
    for (const [factor, values] of factors.entries()) {
      expectLength(values, rows * this.dim, `Factor ${factor}`);
      if (this.#validate) expectNumbers(values, `Factor ${factor}`);
    }
    const result = zerosLike(factors[0]!, rows * this.sketchDim);
    for (let row = 0; row < rows; row++) {
      const inputs = factors.map((values) => this.#lift(values, row));
      result.set(
        this.#useDirect ? this.#sumPairs(inputs) : this.#multiplySpectra(inputs),
        row * this.sketchDim,
      );
    }
    return result;
  }

  /**
   * The kernel (γ⟨x, y⟩ + c)^p that the inner product of two transforms estimates.
   * @param x `[dim]`
   * @param y `[dim]`
   */
  kernel(x: ArrayLike<number>, y: ArrayLike<number>): number {
    expectLength(x, this.dim, 'x');
    expectLength(y, this.dim, 'y');
    let dot = 0;
    for (let i = 0; i < this.dim; i++) dot += x[i]! * y[i]!;
    return (this.#gamma * dot + this.#coef0) ** this.degree;
  }

  get #width(): number {
    return this.#coef0 > 0 ? this.dim + 1 : this.dim;
  }

  /** One row scaled by √γ, with √c appended. */
  #lift(values: FloatArray, row: number): Float64Array {
    const scale = Math.sqrt(this.#gamma);
    const lifted = new Float64Array(this.#width);
    for (let i = 0; i < this.dim; i++) lifted[i] = scale * values[row * this.dim + i]!;
    if (this.#coef0 > 0) lifted[this.dim] = Math.sqrt(this.#coef0);
    return lifted;
  }

  #sumPairs(inputs: readonly Float64Array[]): Float64Array {
    this.#direct ??= planDirectProduct(this.tables);
    return this.#direct(inputs);
  }

  #multiplySpectra(inputs: readonly Float64Array[]): Float64Array {
    const fft = Fft.plan(this.sketchDim);
    const product = fft.forwardReal(this.#sketches[0]!.apply(inputs[0]!));
    for (let factor = 1; factor < this.degree; factor++) {
      multiplyComplex(product, fft.forwardReal(this.#sketches[factor]!.apply(inputs[factor]!)), product);
    }
    return fft.inverseReal(product);
  }
}

function tablesOf(options: TensorSketchOptions, degree: number, width: number): readonly SketchTable[] {
  const { sketchDim, seed = 42, tables, sharedTable = false } = options;
  if (!tables) {
    const size = { dim: width, sketchDim, seed };
    return sharedTable
      ? new Array<SketchTable>(degree).fill(createTable(size))
      : createIndependentTables(degree, size);
  }
  expectLength(tables, degree, 'tables');
  for (const [factor, table] of tables.entries()) {
    if (table.dim !== width || table.sketchDim !== sketchDim) {
      throw new InputError(
        `Table ${factor} maps ${table.dim} inputs to ${table.sketchDim} buckets, but ${width} to ${sketchDim} is needed.`,
      );
    }
  }
  return tables;
}

/** A transform per factor and one back against the sums over live buckets; `bench/tensor-sketch.mjs` measures both. */
function isDirectCheaper(width: number, sketchDim: number, degree: number): boolean {
  return directProductCost(width, sketchDim, degree) < (degree + 1) * fftCost(sketchDim);
}
