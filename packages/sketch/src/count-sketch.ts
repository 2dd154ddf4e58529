import { InputError } from '@palimpsest/base';
import { type FloatArray, zerosLike } from './arrays.js';
import { countRows, expectIndex, expectLength, expectNumbers } from './checks.js';
import {
  type CountSketchJson,
  decodeCountSketches,
  encodeCountSketches,
  fromCountSketchJson,
  toCountSketchJson,
} from './count-sketch-format.js';
import {
  createTable,
  expectSameTable,
  expectTable,
  type SketchTable,
  type TableOptions,
} from './sketch-table.js';

export interface CountSketchOptions {
  /** Refuse NaN inputs, at the cost of one look at every value. Default false. */
  readonly validate?: boolean;
}

/**
 * CountSketch (Charikar, Chen & Farach-Colton 2002): the linear map (Sx)_r = Σ_{h(i)=r} s(i) x_i, whose inner products
 * and point queries are unbiased, with Var⟨Sx, Sy⟩ = (‖x‖²‖y‖² + ⟨x, y⟩² − 2 Σ x_i² y_i²) / m. Holds one vector of
 * counters that can be updated entry by entry and merged with others of the same table.
 */
export class CountSketch {
  readonly table: SketchTable;
  /** Counters, `[sketchDim]`. */
  readonly counters: Float64Array;
  readonly #validate: boolean;

  /**
   * @param source a table, or sizes and seed to draw one from
   * @throws InputError for sizes that are no positive integers, or a table with a wrong bucket or sign
   */
  constructor(source: SketchTable | TableOptions, options: CountSketchOptions = {}) {
    if ('index' in source) expectTable(source);
    this.table = 'index' in source ? source : createTable(source);
    this.counters = new Float64Array(this.table.sketchDim);
    this.#validate = options.validate ?? false;
  }

  /**
   * Sketches rows of values; the counters stay as they are. Every bucket adds its inputs in increasing order.
   * @param values `[..., dim]`, row-major
   * @returns `[..., sketchDim]` in the same precision
   * @throws InputError when the values are no whole rows of dim
   */
  apply<T extends FloatArray>(values: T): T {
    const { dim, sketchDim, index, sign } = this.table;
    const rows = countRows(values, dim, 'values');
    if (this.#validate) expectNumbers(values, 'values');
    const result = zerosLike(values, rows * sketchDim);
    for (let row = 0; row < rows; row++) {
      const from = row * dim;
      const to = row * sketchDim;
      for (let i = 0; i < dim; i++) {
        const bucket = to + index[i]!;
        result[bucket] = result[bucket]! + sign[i]! * values[from + i]!;
      }
    }
    return result;
  }

  /**
   * Sketches a vector given by its non-zero entries; entries of one index add up.
   * @returns `[sketchDim]`
   * @throws InputError for an index outside of [0, dim), or when the two lengths differ
   */
  applySparse(indices: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
    expectLength(values, indices.length, 'values');
    if (this.#validate) expectNumbers(values, 'values');
    const result = new Float64Array(this.table.sketchDim);
    for (let k = 0; k < indices.length; k++) {
      const bucket = this.#bucket(indices[k]!);
      result[bucket] = result[bucket]! + this.table.sign[indices[k]!]! * values[k]!;
    }
    return result;
  }

  /** Adds a whole vector `[dim]` to the counters. */
  add(vector: FloatArray): void {
    expectLength(vector, this.table.dim, 'vector');
    const sketched = this.apply(Float64Array.from(vector));
    for (let r = 0; r < sketched.length; r++) this.counters[r] = this.counters[r]! + sketched[r]!;
  }

  /** x_i += delta, in constant time. */
  update(i: number, delta: number): void {
    if (this.#validate && Number.isNaN(delta)) throw new InputError(`The update of entry ${i} is NaN.`);
    const bucket = this.#bucket(i);
    this.counters[bucket] = this.counters[bucket]! + this.table.sign[i]! * delta;
  }

  /** Unbiased estimate of x_i, of variance (‖x‖² − x_i²) / m. */
  estimate(i: number): number {
    return this.counters[this.#bucket(i)]! * this.table.sign[i]!;
  }

  /** Adds the counters of a sketch with the same table. @throws InputError when the tables differ */
  merge(other: CountSketch): void {
    expectSameTable(this.table, other.table, 'merge');
    for (let r = 0; r < this.counters.length; r++) this.counters[r] = this.counters[r]! + other.counters[r]!;
  }

  /** Multiplies the sketched vector by a number. */
  scale(factor: number): void {
    if (this.#validate && Number.isNaN(factor)) throw new InputError('The factor of scale is NaN.');
    for (let r = 0; r < this.counters.length; r++) this.counters[r] = this.counters[r]! * factor;
  }

  /** Unbiased estimate of the inner product of the two sketched vectors. @throws InputError when the tables differ */
  inner(other: CountSketch): number {
    expectSameTable(this.table, other.table, 'take the inner product of');
    let sum = 0;
    for (let r = 0; r < this.counters.length; r++) sum += this.counters[r]! * other.counters[r]!;
    return sum;
  }

  /** Estimate of the Euclidean norm; its square is unbiased, of variance 2 (‖x‖⁴ − ‖x‖₄⁴) / m. */
  norm(): number {
    return Math.sqrt(this.inner(this));
  }

  /** Table and counters as plain JSON. @throws InputError for a counter that JSON cannot hold: NaN or an infinity */
  toJSON(): CountSketchJson {
    return toCountSketchJson(this);
  }

  /** @throws InputError naming what is missing or wrong */
  static fromJSON(json: CountSketchJson): CountSketch {
    return CountSketch.#restore(fromCountSketchJson(json));
  }

  /** Table and counters as bytes, little-endian: 20 + 5d + 8m of them. */
  toBytes(): Uint8Array {
    return encodeCountSketches([this]);
  }

  /** @throws InputError for bytes that are torn, foreign or hold several sketches */
  static fromBytes(bytes: Uint8Array): CountSketch {
    const rows = decodeCountSketches(bytes);
    if (rows.length !== 1) {
      throw new InputError(
        `The bytes hold ${rows.length} sketches; read them with MultiCountSketch.fromBytes.`,
      );
    }
    return CountSketch.#restore(rows[0]!);
  }

  static #restore({ table, counters }: Pick<CountSketch, 'table' | 'counters'>): CountSketch {
    const sketch = new CountSketch(table);
    sketch.counters.set(counters);
    return sketch;
  }

  #bucket(i: number): number {
    expectIndex(i, this.table.dim, 'The entry');
    return this.table.index[i]!;
  }
}
