import { expectLength, expectNumbers, positiveInteger } from './checks.js';
import { type ConvolutionMethod, circularConvolve } from './circular.js';
import { type CompactTable, compactTable } from './compact-table.js';
import { CountSketch } from './count-sketch.js';
import { createIndependentTables, createTable, type SketchTable } from './sketch-table.js';
import { sumBucketPlan } from './sum-bucket-plan.js';

export interface TensorSketchOptions {
  readonly dim: number;
  readonly sketchDim: number;
  /** Degree p of the polynomial kernel, at least 1. Default 2. */
  readonly degree?: number;
  /** Factor on the inner product. Default 1. */
  readonly gamma?: number;
  /** Constant term; above 0 one constant channel is appended. Default 0. */
  readonly coef0?: number;
  readonly seed?: number;
  /** `direct` convolves the few non-zeros; `fft` multiplies spectra; `auto` takes the cheaper. */
  readonly method?: ConvolutionMethod;
  /** One table for all factors: biased and symmetric, for parity with a reference only. Default false. */
  readonly sharedTable?: boolean;
  /** Tables to use instead of drawing them; one per factor. */
  readonly tables?: readonly SketchTable[];
  /** Refuse NaN inputs. Default false. */
  readonly validate?: boolean;
}

/**
 * TensorSketch (Pham & Pagh 2013): a random feature map of the polynomial kernel, ⟨T(x), T(y)⟩ ≈ (γ⟨x, y⟩ + c)^p,
 * unbiased with independent tables. T(x) = S₁x ⊛ … ⊛ S_px is the CountSketch of x^{⊗p} under the composite hash.
 */
export class TensorSketch {
  readonly tables: readonly SketchTable[];
  readonly degree: number;
  readonly sketchDim: number;
  readonly dim: number;
  readonly #options: Required<Pick<TensorSketchOptions, 'gamma' | 'coef0' | 'method' | 'validate'>>;
  readonly #sketches: readonly CountSketch[];
  #direct: DirectPlan | undefined;

  constructor(options: TensorSketchOptions) {
    const {
      dim,
      sketchDim,
      degree = 2,
      gamma = 1,
      coef0 = 0,
      seed = 42,
      method = 'auto',
      validate = false,
    } = options;
    positiveInteger(dim, 'dim');
    positiveInteger(sketchDim, 'sketchDim');
    positiveInteger(degree, 'degree');
    if (!(gamma > 0)) throw new RangeError(`gamma must be positive, but is ${gamma}.`);
    if (!(coef0 >= 0)) throw new RangeError(`coef0 must not be negative, but is ${coef0}.`);
    this.dim = dim;
    this.degree = degree;
    this.sketchDim = sketchDim;
    this.#options = { gamma, coef0, method, validate };
    const width = coef0 > 0 ? dim + 1 : dim;
    const table = { dim: width, sketchDim, seed };
    this.tables =
      options.tables ??
      (options.sharedTable
        ? new Array<SketchTable>(degree).fill(createTable(table))
        : createIndependentTables(degree, table));
    expectLength(this.tables, degree, 'tables');
    for (const given of this.tables) {
      if (given.dim !== width || given.sketchDim !== sketchDim) {
        throw new RangeError(
          `A table maps ${given.dim} to ${given.sketchDim}, but ${width} to ${sketchDim} is needed.`,
        );
      }
    }
    this.#sketches = this.tables.map((given) => new CountSketch(given));
  }

  /** T(x) for one vector. @param x `[dim]` @returns `[sketchDim]` */
  transform(x: ArrayLike<number>): Float64Array {
    return this.transformFactors(new Array<ArrayLike<number>>(this.degree).fill(x));
  }

  /** S₁x¹ ⊛ … ⊛ S_px^p for a vector per factor, each `[dim]`. @returns `[sketchDim]` */
  transformFactors(factors: readonly ArrayLike<number>[]): Float64Array {
    expectLength(factors, this.degree, 'factors');
    const inputs = factors.map((factor) => this.#input(factor));
    if (this.degree === 2 && this.#isDirectCheaper()) return this.#pairs(inputs[0]!, inputs[1]!);
    const { method } = this.#options;
    return inputs
      .map((input, factor) => this.#sketches[factor]!.apply(input))
      .reduce((product, sketch) => circularConvolve(product, sketch, { method }));
  }

  /** The kernel that the inner product of two transforms estimates. */
  kernel(x: ArrayLike<number>, y: ArrayLike<number>): number {
    expectLength(x, this.dim, 'x');
    expectLength(y, this.dim, 'y');
    let dot = 0;
    for (let i = 0; i < this.dim; i++) dot += x[i]! * y[i]!;
    return (this.#options.gamma * dot + this.#options.coef0) ** this.degree;
  }

  /** The vector scaled by √γ, with √c appended. */
  #input(x: ArrayLike<number>): Float64Array {
    expectLength(x, this.dim, 'A vector');
    const { gamma, coef0, validate } = this.#options;
    if (validate) expectNumbers(x, 'A vector');
    const scale = Math.sqrt(gamma);
    const values = Float64Array.from(x, (value) => scale * value);
    return coef0 > 0 ? Float64Array.of(...values, Math.sqrt(coef0)) : values;
  }

  #isDirectCheaper(): boolean {
    const { method } = this.#options;
    if (method !== 'auto') return method === 'direct';
    const width = this.tables[0]!.dim;
    // 2d² multiply-adds for real vectors against three transforms of 5 m log₂ m operations.
    return 4 * width * width < 15 * this.sketchDim * Math.log2(Math.max(2, this.sketchDim));
  }

  /** Degree 2 over the used buckets only. */
  #pairs(x: Float64Array, y: Float64Array): Float64Array {
    this.#direct ??= planDirect(this.tables as [SketchTable, SketchTable]);
    const { first, second, buckets } = this.#direct;
    const [a, b] = [compactApply(first, x), compactApply(second, y)];
    const result = new Float64Array(this.sketchDim);
    for (let i = 0, pair = 0; i < a.length; i++) {
      for (let j = 0; j < b.length; j++, pair++) {
        const bucket = buckets[pair]!;
        result[bucket] = result[bucket]! + a[i]! * b[j]!;
      }
    }
    return result;
  }
}

/** What a direct convolution of two fixed tables needs. */
interface DirectPlan {
  readonly first: CompactTable;
  readonly second: CompactTable;
  /** Sum bucket of every pair of used buckets. */
  readonly buckets: Int32Array;
}

function planDirect([first, second]: readonly [SketchTable, SketchTable]): DirectPlan {
  const { live, pairToLive } = sumBucketPlan(first, second);
  const buckets = pairToLive.map((place) => live[place]!);
  return { first: compactTable(first), second: compactTable(second), buckets };
}

function compactApply({ used, index, sign }: CompactTable, x: Float64Array): Float64Array {
  const result = new Float64Array(used.length);
  x.forEach((value, i) => {
    const place = index[i]!;
    result[place] = result[place]! + sign[i]! * value;
  });
  return result;
}
