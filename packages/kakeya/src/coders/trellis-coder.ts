import { dot, type FloatArray, type Matrix, matrix, timesVector } from '../linalg/matrix.js';
import type { CodeRows } from '../search/code-rows.js';
import { TrellisRows } from '../search/trellis-rows.js';
import type { SkeletonDtype } from '../set/skeleton.js';
import { BitReader, BitWriter } from './bit-stream.js';
import { emptyHeads, type Heads } from './code-head.js';
import { LevelTable } from './level-table.js';
import { ResidualCoder } from './residual-coder.js';
import type { CodeLayout, TransformState } from './transform-state.js';
import { Trellis, type TrellisStates } from './trellis.js';
import { positiveTrellisLevels } from './trellis-levels.js';
import { trainTrellis } from './trellis-training.js';
import { type CodedRows, decodedRows, expectCodeLength } from './vector-coder.js';

export type TrellisLayout = CodeLayout;

/** Everything a trellis coder decodes with; the direction is part of a code only in the "lengths" layout. */
export interface TrellisState extends TransformState {
  readonly layout: TrellisLayout;
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
export class TrellisCoder extends ResidualCoder<TrellisState> {
  readonly coder = 'trellis';
  readonly #trellis: Trellis;
  /** Components with at least one bit, in order; their bits, levels and weights. */
  readonly #coded: Int32Array;
  readonly #bits: Int32Array;
  readonly #tables: readonly LevelTable[];
  readonly #weights: Float64Array;
  readonly states: TrellisStates;

  constructor(state: TrellisState, options: TrellisOptions) {
    super(state, state.layout, options.bytesPerVec, options.skeletonDtype);
    this.states = options.states ?? 64;
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

  encodeCoefficients(coefficients: Matrix): CodedRows {
    const { basis, sigma } = this.state;
    const count = coefficients.rows;
    const heads = this.head.choose(coefficients);
    const decoded = matrix(count, basis.rows);
    const [indices, n] = [this.#coded, this.#coded.length];
    // The residual's components with bits in units of their spread, then as they will be decoded.
    const scaled = new Float64Array(count * n);
    for (let row = 0, at = 0; row < count; row++) {
      const from = row * basis.rows;
      this.head.predict(heads, row, decoded.data, from);
      for (let p = 0; p < n; p++, at++) {
        const i = indices[p]!;
        const spread = sigma[i]!;
        scaled[at] = spread > 0 ? (coefficients.data[from + i]! - decoded.data[from + i]!) / spread : 0;
      }
    }
    const codeRow = this.#trellis.coder({ weights: this.#weights, tables: this.#tables });
    const codes = new Uint16Array(n);
    const bytes = Array.from({ length: count }, (_, row) => {
      codeRow(scaled, row * n, codes);
      const from = row * basis.rows;
      for (let p = 0; p < n; p++) {
        const i = indices[p]!;
        decoded.data[from + i]! += scaled[row * n + p]! * sigma[i]!;
      }
      const writer = new BitWriter(this.bytesPerVec);
      this.head.write(writer, heads, row);
      writer.writeAll(codes, this.#bits);
      return writer.bytes;
    });
    return { codes: bytes, decoded };
  }

  decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array> {
    const { basis, mean, sigma } = this.state;
    const coefficients = matrix(codes.length, basis.rows);
    const reader = new BitReader(this.bytesPerVec);
    const heads = emptyHeads(1);
    const { memory, subsets } = this.#trellis;
    codes.forEach((bytes, row) => {
      expectCodeLength(bytes, this.bytesPerVec, this.coder);
      reader.load(bytes);
      this.head.read(reader, heads, 0);
      const from = row * basis.rows;
      this.head.predict(heads, 0, coefficients.data, from);
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
    const { basis, mean, sigma } = this.state;
    const projected = timesVector(basis, query);
    const constant = dot(Float64Array.from(query), Float64Array.from(mean));
    const ofHead = this.head.scorer(projected);
    const weights = Float64Array.from(this.#coded, (i) => projected[i]! * sigma[i]!);
    const reader = new BitReader(this.bytesPerVec);
    const heads: Heads = emptyHeads(1);
    const { memory, subsets } = this.#trellis;
    const bits = this.#bits;
    return (bytes) => {
      expectCodeLength(bytes, this.bytesPerVec, this.coder);
      reader.load(bytes);
      this.head.read(reader, heads, 0);
      let sum = constant + ofHead(heads, 0);
      let state = 0;
      for (let p = 0; p < bits.length; p++) {
        const code = reader.read(bits[p]!);
        const register = ((code & 1) << memory) | state;
        state = register >>> 1;
        sum += weights[p]! * this.#tables[p]!.levels[4 * (code >>> 1) + subsets[register]!]!;
      }
      return sum;
    };
  }

  rows(): CodeRows {
    const levels = this.#tables.map((table) => table.levels);
    const coded = { indices: this.#coded, bits: this.#bits, levels };
    return new TrellisRows(this.state, this.head, this.#trellis, coded, this.bytesPerVec);
  }
}
