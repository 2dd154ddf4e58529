import {
  centred,
  dot,
  type FloatArray,
  type Matrix,
  matrix,
  timesTransposed,
  timesVector,
} from '../linalg/matrix.js';
import type { CodeRows } from '../search/code-rows.js';
import { ScalarRows } from '../search/scalar-rows.js';
import type { SkeletonDtype } from '../set/skeleton.js';
import { BitReader, BitWriter } from './bit-stream.js';
import { emptyHeads, type Heads } from './code-head.js';
import { LevelTable } from './level-table.js';
import { lloydMaxLevels } from './lloyd-max.js';
import { ResidualCoder } from './residual-coder.js';
import type { TransformCode, TransformOptions, TransformState } from './transform-state.js';
import { trainTransform } from './transform-training.js';
import { type CodedRows, decodedRows, expectCodeLength } from './vector-coder.js';

/**
 * The Kakeya geometry, coded (DERIVATION.md, "Byte coders"): center number, alpha and tau in 8 bits each, and the residual in its own
 * principal frame with Lloyd-Max levels, bits shared out by reverse water-filling.
 */
export class TransformCoder extends ResidualCoder<TransformState> {
  readonly coder = 'transform';
  /** Levels by number of bits. */
  readonly #levels: readonly Float64Array[];
  readonly #tables: readonly LevelTable[];

  constructor(state: TransformState, bytesPerVec: number, dtype?: SkeletonDtype) {
    super(state, 'lengths', bytesPerVec, dtype);
    const widest = Math.max(0, ...state.bits);
    this.#levels = Array.from({ length: widest + 1 }, (_, b) =>
      b === 0 ? Float64Array.of(0) : lloydMaxLevels(b),
    );
    this.#tables = this.#levels.map((levels) => new LevelTable(levels));
  }

  /**
   * Learns from rows X [n, D] and the axis in field space [D]. Throws on fewer than two rows, non-finite numbers or a
   * budget below the 16 bits of (alpha, tau) and the center number.
   */
  static train(x: Matrix, axis: FloatArray, options: TransformOptions): TransformCoder {
    return new TransformCoder(trainTransform(x, axis, options), options.bytesPerVec, options.skeletonDtype);
  }

  encodeCoefficients(coefficients: Matrix): CodedRows {
    const { basis, sigma, bits } = this.state;
    const count = coefficients.rows;
    const heads = this.head.choose(coefficients);
    const decoded = matrix(count, basis.rows);
    const levels = new Uint16Array(bits.length);
    const codes = Array.from({ length: count }, (_, row) => {
      const from = row * basis.rows;
      this.head.predict(heads, row, decoded.data, from);
      for (let i = 0; i < bits.length; i++) {
        const width = bits[i]!;
        if (width === 0) continue;
        const z = coefficients.data[from + i]! - decoded.data[from + i]!;
        const level = this.#tables[width]!.nearestOfAll(sigma[i]! > 0 ? z / sigma[i]! : 0);
        levels[i] = level;
        decoded.data[from + i]! += this.#levels[width]![level]! * sigma[i]!;
      }
      const writer = new BitWriter(this.bytesPerVec);
      this.head.write(writer, heads, row);
      writer.writeAll(levels, bits);
      return writer.bytes;
    });
    return { codes, decoded };
  }

  decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array> {
    const { basis, mean } = this.state;
    const coefficients = matrix(codes.length, basis.rows);
    codes.forEach((bytes, row) => {
      coefficients.data.set(this.coefficients(bytes), row * basis.rows);
    });
    return decodedRows(coefficients, basis, mean);
  }

  /** The whole numbers that stand for v [D]. */
  quantiseVector(v: FloatArray): TransformCode {
    const rows = centred(matrix(1, v.length, Float64Array.from(v)), this.mean);
    return this.unpack(this.encodeCoefficients(timesTransposed(rows, this.basis)).codes[0]!);
  }

  /** Segment, alpha + 128, tau + 128, then the levels, least significant bit first, zero padded. */
  pack(code: TransformCode): Uint8Array {
    const writer = new BitWriter(this.bytesPerVec);
    this.head.write(writer, headsOf(code), 0);
    const { bits } = this.state;
    for (let i = 0; i < bits.length; i++) writer.write(code.levels[i]!, bits[i]!);
    return writer.bytes;
  }

  /** Inverse of {@link pack}. Throws on a wrong length or an unknown center. */
  unpack(bytes: Uint8Array): TransformCode {
    expectCodeLength(bytes, this.bytesPerVec, this.coder);
    const reader = new BitReader(bytes);
    const heads = emptyHeads(1);
    this.head.read(reader, heads, 0);
    const levels = this.state.bits.map((width) => reader.read(width));
    return { segId: heads.segments[0]!, qAlpha: heads.qAlpha[0]!, qT: heads.qTau[0]!, levels };
  }

  /** Decoded PCA coefficients, [r]. */
  coefficients(bytes: Uint8Array): Float64Array {
    const { sigma, bits } = this.state;
    const code = this.unpack(bytes);
    const result = new Float64Array(bits.length);
    this.head.predict(headsOf(code), 0, result, 0);
    for (let i = 0; i < result.length; i++) {
      result[i]! += this.#levels[bits[i]!]![code.levels[i]!]! * sigma[i]!;
    }
    return result;
  }

  /** Scores take only the components of a code that have bits. */
  scorer(query: FloatArray): (bytes: Uint8Array) => number {
    const { basis, mean, sigma, bits } = this.state;
    const projected = timesVector(basis, query);
    const constant = dot(Float64Array.from(query), Float64Array.from(mean));
    const ofHead = this.head.scorer(projected);
    const coded = Int32Array.from([...bits.keys()].filter((i) => bits[i]! > 0));
    const widths = coded.map((i) => bits[i]!);
    const weights = Float64Array.from(coded, (i) => projected[i]! * sigma[i]!);
    const levels = [...widths].map((width) => this.#levels[width]!);
    const reader = new BitReader(this.bytesPerVec);
    const heads = emptyHeads(1);
    return (bytes) => {
      expectCodeLength(bytes, this.bytesPerVec, this.coder);
      reader.load(bytes);
      this.head.read(reader, heads, 0);
      let sum = constant + ofHead(heads, 0);
      for (let p = 0; p < widths.length; p++) sum += weights[p]! * levels[p]![reader.read(widths[p]!)]!;
      return sum;
    };
  }

  rows(): CodeRows {
    return new ScalarRows(this.state, this.head, this.#levels, this.bytesPerVec);
  }
}

const headsOf = ({ segId, qAlpha, qT }: TransformCode): Heads => ({
  segments: Int32Array.of(segId),
  qAlpha: Int32Array.of(qAlpha),
  qTau: Int32Array.of(qT),
});
