import { BitReader, BitWriter } from './bit-stream.js';
import { expectFiniteRows, expectInteger, expectVector } from './checks.js';
import { CodeHead, type CodeLayout, emptyHeads, type Heads, layoutBits } from './code-head.js';
import type { CodeRows } from './code-rows.js';
import { expect } from './errors.js';
import {
  centred,
  dot,
  type FloatArray,
  type Matrix,
  matrix,
  rowOf,
  timesTransposed,
  timesVector,
} from './matrix.js';
import type { SkeletonDtype } from './skeleton.js';
import { codedSkeletonBytes } from './transform-state.js';
import { LevelTable, Trellis, type TrellisStates } from './trellis.js';
import { positiveTrellisLevels } from './trellis-levels.js';
import { TrellisRows } from './trellis-rows.js';
import { trainTrellis } from './trellis-training.js';
import { type CoderTensor, decodedRows, expectCodeLength, type VectorCoder } from './vector-coder.js';

export type TrellisLayout = CodeLayout;

/** Everything a trellis coder decodes with; r components in the residual's principal frame. */
export interface TrellisState {
  readonly layout: TrellisLayout;
  /** [r, D]. */
  readonly basis: Matrix;
  readonly mean: FloatArray;
  /** Aligned direction; part of a code only in the "lengths" layout. */
  readonly tDir: FloatArray;
  /** [K, r]. */
  readonly centers: Matrix;
  readonly residualMean: FloatArray;
  readonly sigma: FloatArray;
  readonly bits: Int32Array;
  /** Steps of alpha and tau. */
  readonly scales: FloatArray;
}

export interface TrellisOptions {
  readonly bytesPerVec: number;
  /** Most centers tried; default 64. Training keeps the layout and center count that code held-out rows best. */
  readonly k?: number;
  /** Trellis states: more cost time to encode and lower the error by about 0.1 dB per doubling; default 64. */
  readonly states?: TrellisStates;
  readonly skeletonDtype?: SkeletonDtype;
  /** Seed of the k-means of the "centroids" layout; default 0. */
  readonly seed?: number;
}

const tables = positiveTrellisLevels.map((positive) => {
  return new LevelTable(Float64Array.from([...positive.map((level) => -level).reverse(), ...positive]));
});

/** The transform coder with trellis-coded residuals and a layout chosen on held-out rows; same number of bytes. */
export class TrellisCoder implements VectorCoder {
  readonly coder = 'trellis';
  readonly #state: TrellisState;
  readonly #dtype: SkeletonDtype;
  readonly #head: CodeHead;
  readonly #trellis: Trellis;
  /** Components with at least one bit, in order; their bits, levels and weights. */
  readonly #coded: Int32Array;
  readonly #bits: Int32Array;
  readonly #tables: readonly LevelTable[];
  readonly #weights: Float64Array;
  readonly bytesPerVec: number;
  readonly states: TrellisStates;

  constructor(state: TrellisState, options: TrellisOptions) {
    expectInteger(options.bytesPerVec, 1, 'bytesPerVec of the trellis coder');
    const used = layoutBits(state.layout, state.centers.rows) + state.bits.reduce((sum, b) => sum + b, 0);
    expect(used <= 8 * options.bytesPerVec, () => {
      return `The code needs ${used} bits but ${options.bytesPerVec} bytes were given.`;
    });
    this.#state = state;
    this.#dtype = options.skeletonDtype ?? 'f32';
    this.bytesPerVec = options.bytesPerVec;
    this.states = options.states ?? 64;
    this.#head = new CodeHead(state);
    this.#trellis = new Trellis(this.states);
    this.#coded = Int32Array.from([...state.bits.keys()].filter((i) => state.bits[i]! > 0));
    this.#bits = this.#coded.map((i) => state.bits[i]!);
    this.#tables = [...this.#bits].map((b) => tables[b - 1]!);
    this.#weights = Float64Array.from(this.#coded, (i) => state.sigma[i]! ** 2);
  }

  /** Learns from rows X [n, D] and the axis in field space [D]. Throws as {@link TransformCoder.train} does. */
  static train(x: Matrix, axis: FloatArray, options: TrellisOptions): TrellisCoder {
    return trainTrellis(x, axis, options, (state) => new TrellisCoder(state, options));
  }

  get state(): TrellisState {
    return this.#state;
  }

  get dimension(): number {
    return this.#state.basis.cols;
  }

  get skeletonBytes(): number {
    return codedSkeletonBytes(this.#state.basis, this.#state.centers.rows, this.#dtype);
  }

  encode(v: FloatArray): Uint8Array {
    expectVector(v, this.dimension, 'A vector for the trellis coder');
    return this.encodeRows(matrix(1, this.dimension, Float64Array.from(v)))[0]!;
  }

  encodeRows(rows: Matrix): Uint8Array[] {
    expectFiniteRows(rows, 'The trellis coder');
    const { basis, mean, sigma } = this.#state;
    const coefficients = timesTransposed(centred(rows, mean), basis);
    const heads = this.#head.choose(coefficients);
    const predicted = new Float64Array(basis.rows);
    const scaled = new Float64Array(this.#coded.length);
    return Array.from({ length: rows.rows }, (_, row) => {
      const writer = new BitWriter(this.bytesPerVec);
      this.#head.write(writer, heads, row);
      this.#head.predict(heads, row, predicted, 0);
      const from = row * basis.rows;
      for (let p = 0; p < scaled.length; p++) {
        const i = this.#coded[p]!;
        scaled[p] = sigma[i]! > 0 ? (coefficients.data[from + i]! - predicted[i]!) / sigma[i]! : 0;
      }
      const codes = this.#trellis.encode(scaled, this.#weights, this.#tables);
      for (let p = 0; p < codes.length; p++) writer.write(codes[p]!, this.#bits[p]!);
      return writer.bytes;
    });
  }

  decode(bytes: Uint8Array): Float32Array {
    return rowOf(this.decodeRows([bytes]), 0) as Float32Array;
  }

  decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array> {
    const { basis, mean, sigma } = this.#state;
    const coefficients = matrix(codes.length, basis.rows);
    const reader = new BitReader(this.bytesPerVec);
    const heads = emptyHeads(1);
    const { memory, subsets } = this.#trellis;
    codes.forEach((bytes, row) => {
      expectCodeLength(bytes, this.bytesPerVec, this.coder);
      reader.load(bytes);
      this.#head.read(reader, heads, 0);
      const from = row * basis.rows;
      this.#head.predict(heads, 0, coefficients.data, from);
      let state = 0;
      for (let p = 0; p < this.#coded.length; p++) {
        const code = reader.read(this.#bits[p]!);
        const register = ((code & 1) << memory) | state;
        state = register >>> 1;
        const i = this.#coded[p]!;
        coefficients.data[from + i]! +=
          this.#tables[p]!.levels[4 * (code >>> 1) + subsets[register]!]! * sigma[i]!;
      }
    });
    return decodedRows(coefficients, basis, mean);
  }

  /** Scores take only the coded components of a code: levels times sigma times the projected query are prepared. */
  scorer(query: FloatArray): (bytes: Uint8Array) => number {
    const { basis, mean, sigma } = this.#state;
    const projected = timesVector(basis, query);
    const constant = dot(Float64Array.from(query), Float64Array.from(mean));
    const ofHead = this.#head.scorer(projected);
    const weights = Float64Array.from(this.#coded, (i) => projected[i]! * sigma[i]!);
    const reader = new BitReader(this.bytesPerVec);
    const heads: Heads = emptyHeads(1);
    const { memory, subsets } = this.#trellis;
    const bits = this.#bits;
    const { levels, starts } = this.#flatTables();
    // The reader's own work on local variables: a call per component would cost more than the component.
    const padded = new Uint8Array(this.bytesPerVec + 2);
    return (bytes) => {
      expectCodeLength(bytes, this.bytesPerVec, this.coder);
      reader.load(bytes);
      this.#head.read(reader, heads, 0);
      padded.set(bytes);
      let sum = constant + ofHead(heads, 0);
      let [position, state] = [reader.position, 0];
      for (let p = 0; p < bits.length; p++) {
        const [width, at] = [bits[p]!, position >>> 3];
        const window = (padded[at]! | (padded[at + 1]! << 8)) >>> (position & 7);
        position += width;
        const code = window & ((1 << width) - 1);
        const register = ((code & 1) << memory) | state;
        state = register >>> 1;
        sum += weights[p]! * levels[starts[p]! + 4 * (code >>> 1) + subsets[register]!]!;
      }
      return sum;
    };
  }

  /** The levels of all rates one after the other, and where those of every coded component begin. */
  #flatTables(): { levels: Float64Array; starts: Int32Array } {
    const sizes = tables.map((table) => table.levels.length);
    const levels = new Float64Array(sizes.reduce((sum, size) => sum + size, 0));
    const begin: number[] = [];
    tables.forEach((table, rate) => {
      begin.push(sizes.slice(0, rate).reduce((sum, size) => sum + size, 0));
      levels.set(table.levels, begin[rate]);
    });
    return { levels, starts: this.#bits.map((b) => begin[b - 1]!) };
  }

  rows(): CodeRows {
    const levels = this.#tables.map((table) => table.levels);
    const coded = { indices: this.#coded, bits: this.#bits, levels };
    return new TrellisRows(this.#state, this.#head, this.#trellis, coded, this.bytesPerVec);
  }

  tensors(): Record<string, CoderTensor> {
    const { basis, mean, tDir, centers, residualMean, sigma, bits, scales } = this.#state;
    const f32 = (values: FloatArray) => Float32Array.from(values);
    return {
      basis,
      mean: f32(mean),
      tDir: f32(tDir),
      centers,
      residualMean: f32(residualMean),
      sigma: f32(sigma),
      bits,
      scales: f32(scales),
    };
  }
}
