import { expectLength, expectNumbers } from './checks.js';
import { createTable, type SketchTable, type TableOptions } from './sketch-table.js';

/** Everything needed to build a sketch again, as JSON. */
export interface CountSketchJson {
  readonly dim: number;
  readonly sketchDim: number;
  readonly index: readonly number[];
  readonly sign: readonly number[];
  readonly counters: readonly number[];
}

export interface CountSketchOptions {
  /** Refuse NaN inputs. Default false. */
  readonly validate?: boolean;
}

/**
 * CountSketch (Charikar, Chen & Farach-Colton 2002): a linear map S of rank-one rows, (Sx)_r = Σ_{h(i)=r} s(i) x_i, with
 * unbiased inner products and point queries. Holds one vector of counters that can be updated and merged.
 */
export class CountSketch {
  readonly table: SketchTable;
  /** Counters, `[sketchDim]`. */
  readonly counters: Float64Array;
  readonly #validate: boolean;

  /** @param source a table, or sizes and seed to draw one from */
  constructor(source: SketchTable | TableOptions, options: CountSketchOptions = {}) {
    this.table = 'index' in source ? source : createTable(source);
    this.counters = new Float64Array(this.table.sketchDim);
    this.#validate = options.validate ?? false;
  }

  /**
   * Sketches rows of values; the counters stay as they are.
   * @param values `[..., dim]`, row-major
   * @returns `[..., sketchDim]` in the same precision
   * @throws RangeError when the number of values is no multiple of dim
   */
  apply<T extends Float32Array | Float64Array>(values: T): T {
    const { dim, sketchDim, index, sign } = this.table;
    if (values.length % dim !== 0) {
      throw new RangeError(`values must hold rows of ${dim} numbers, but has ${values.length}.`);
    }
    if (this.#validate) expectNumbers(values, 'values');
    const rows = values.length / dim;
    const result = new (values.constructor as new (length: number) => T)(rows * sketchDim);
    for (let row = 0; row < rows; row++) {
      const [from, to] = [row * dim, row * sketchDim];
      for (let i = 0; i < dim; i++) {
        const bucket = to + index[i]!;
        result[bucket] = result[bucket]! + sign[i]! * values[from + i]!;
      }
    }
    return result;
  }

  /** Sketches a vector given by its non-zero entries. @returns `[sketchDim]` */
  applySparse(indices: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
    expectLength(values, indices.length, 'values');
    const result = new Float64Array(this.table.sketchDim);
    for (let k = 0; k < indices.length; k++) {
      const bucket = this.#bucket(indices[k]!);
      result[bucket] = result[bucket]! + this.table.sign[indices[k]!]! * values[k]!;
    }
    return result;
  }

  /** Adds a whole vector `[dim]` to the counters. */
  add(vector: Float32Array | Float64Array): void {
    expectLength(vector, this.table.dim, 'vector');
    const sketched = this.apply(Float64Array.from(vector));
    for (let r = 0; r < sketched.length; r++) this.counters[r] = this.counters[r]! + sketched[r]!;
  }

  /** x_i += delta, in constant time. */
  update(i: number, delta: number): void {
    if (this.#validate && Number.isNaN(delta)) throw new RangeError(`The update of entry ${i} is NaN.`);
    const bucket = this.#bucket(i);
    this.counters[bucket] = this.counters[bucket]! + this.table.sign[i]! * delta;
  }

  /** Unbiased estimate of x_i, of variance (‖x‖² − x_i²) / m. */
  estimate(i: number): number {
    return this.table.sign[i]! * this.counters[this.#bucket(i)]!;
  }

  /** Adds the counters of a sketch with the same table. @throws RangeError when the tables differ */
  merge(other: CountSketch): void {
    this.#expectSameTable(other, 'merge');
    for (let r = 0; r < this.counters.length; r++) this.counters[r] = this.counters[r]! + other.counters[r]!;
  }

  /** Multiplies the sketched vector by a number. */
  scale(factor: number): void {
    for (let r = 0; r < this.counters.length; r++) this.counters[r] = this.counters[r]! * factor;
  }

  /** Unbiased estimate of the inner product of the two sketched vectors. @throws RangeError when the tables differ */
  inner(other: CountSketch): number {
    this.#expectSameTable(other, 'inner');
    return this.counters.reduce((sum, value, r) => sum + value * other.counters[r]!, 0);
  }

  /** Estimate of the Euclidean norm. */
  norm(): number {
    return Math.sqrt(this.inner(this));
  }

  toJSON(): CountSketchJson {
    const { dim, sketchDim, index, sign } = this.table;
    return { dim, sketchDim, index: [...index], sign: [...sign], counters: [...this.counters] };
  }

  /** @throws RangeError for lengths that do not fit or buckets outside the sketch */
  static fromJSON(json: CountSketchJson): CountSketch {
    const { dim, sketchDim } = json;
    expectLength(json.index, dim, 'index');
    expectLength(json.sign, dim, 'sign');
    expectLength(json.counters, sketchDim, 'counters');
    const foreign = json.index.find(
      (bucket) => !Number.isInteger(bucket) || bucket < 0 || bucket >= sketchDim,
    );
    if (foreign !== undefined)
      throw new RangeError(`index holds ${foreign}, outside of ${sketchDim} buckets.`);
    const table = { dim, sketchDim, index: Int32Array.from(json.index), sign: Float32Array.from(json.sign) };
    const sketch = new CountSketch(table);
    sketch.counters.set(json.counters);
    return sketch;
  }

  #bucket(i: number): number {
    const bucket = this.table.index[i];
    if (bucket === undefined)
      throw new RangeError(`Entry ${i} lies outside of the ${this.table.dim} inputs.`);
    return bucket;
  }

  #expectSameTable(other: CountSketch, verb: string): void {
    const [a, b] = [this.table, other.table];
    if (a === b) return;
    if (a.dim !== b.dim || a.sketchDim !== b.sketchDim) {
      throw new RangeError(
        `${verb} needs sketches of one table, but these map ${a.dim} to ${a.sketchDim} and ${b.dim} to ${b.sketchDim}.`,
      );
    }
    const differs = a.index.findIndex((bucket, i) => bucket !== b.index[i] || a.sign[i] !== b.sign[i]);
    if (differs >= 0) {
      throw new RangeError(
        `${verb} needs sketches of one table, but input ${differs} is hashed differently.`,
      );
    }
  }
}
