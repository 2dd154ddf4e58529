import { BitReader, BitWriter } from './bit-stream.js';
import { expectInteger, expectVector } from './checks.js';
import { expect } from './errors.js';
import { nearestCentroid } from './kmeans.js';
import { addScaledRow, dot, dotAt, type FloatArray, type Matrix, rowOf, timesVector } from './matrix.js';
import { perpendicular, type SkeletonDtype } from './skeleton.js';
import { nearestCenter } from './sparse-codec.js';
import { codedSkeletonBytes, quantise, segmentBits } from './transform-state.js';
import { LevelTable, Trellis, type TrellisStates } from './trellis.js';
import { positiveTrellisLevels } from './trellis-levels.js';
import { trainTrellis } from './trellis-training.js';
import { type CoderTensor, expectCodeLength, type VectorCoder } from './vector-coder.js';

/**
 * What a code holds before the residual. "lengths": center number, alpha and tau in 8 bits each, as in the transform
 * coder. "centroids": only the center number; centers have the mean length of their rows, and the 16 bits go to
 * the residual.
 */
export type TrellisLayout = 'lengths' | 'centroids';

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
  readonly #trellis: Trellis;
  readonly #nearest: (data: FloatArray, offset: number) => number;
  /** Components with at least one bit, in order. */
  readonly #coded: Int32Array;
  readonly #codedTables: readonly LevelTable[];
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
    this.#trellis = new Trellis(this.states);
    this.#nearest = nearestCentroid(state.centers);
    this.#coded = Int32Array.from([...state.bits.keys()].filter((i) => state.bits[i]! > 0));
    this.#codedTables = [...this.#coded].map((i) => tables[state.bits[i]! - 1]!);
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
    const { basis, mean, residualMean, sigma, bits } = this.#state;
    const coefficients = timesVector(
      basis,
      Float64Array.from(v, (x, j) => x - mean[j]!),
    );
    const writer = new BitWriter(this.bytesPerVec);
    const predicted = this.#writeHead(writer, coefficients);
    const scaled = Float64Array.from(this.#coded, (i) => {
      return sigma[i]! > 0 ? (coefficients[i]! - predicted[i]! - residualMean[i]!) / sigma[i]! : 0;
    });
    this.#trellis.encode(scaled, this.#weights, this.#codedTables).forEach((code, position) => {
      writer.write(code, bits[this.#coded[position]!]!);
    });
    return writer.bytes;
  }

  decode(bytes: Uint8Array): Float32Array {
    const sum = Float64Array.from(this.#state.mean);
    this.coefficients(bytes).forEach((value, i) => {
      addScaledRow(sum, this.#state.basis, i, value);
    });
    return Float32Array.from(sum);
  }

  /** Decoded PCA coefficients, [r]. */
  coefficients(bytes: Uint8Array): Float64Array {
    expectCodeLength(bytes, this.bytesPerVec, this.coder);
    const { residualMean, sigma, bits } = this.#state;
    const reader = new BitReader(bytes);
    const result = this.#readHead(reader);
    const codes = this.#coded.map((i) => reader.read(bits[i]!));
    const levels = this.#trellis.decode(codes);
    for (let i = 0; i < result.length; i++) result[i]! += residualMean[i]!;
    levels.forEach((level, position) => {
      const i = this.#coded[position]!;
      result[i]! += this.#codedTables[position]!.levels[level]! * sigma[i]!;
    });
    return result;
  }

  scorer(query: FloatArray): (bytes: Uint8Array) => number {
    const { basis, mean } = this.#state;
    const projected = timesVector(basis, query);
    const constant = dot(Float64Array.from(query), Float64Array.from(mean));
    return (bytes) => constant + dot(projected, this.coefficients(bytes));
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

  /** Writes center number and lengths; returns the coefficients they predict. */
  #writeHead(writer: BitWriter, coefficients: Float64Array): Float64Array {
    const { layout, tDir, centers, scales } = this.#state;
    const width = segmentBits(centers.rows);
    if (layout === 'centroids') {
      const segId = this.#nearest(coefficients, 0);
      writer.write(segId, width);
      return Float64Array.from(rowOf(centers, segId));
    }
    const perp = perpendicular(coefficients, tDir);
    const segId = nearestCenter(perp, centers, false);
    const qAlpha = quantise(dotAt(coefficients, 0, tDir, 0, tDir.length), scales[0]!);
    const qT = quantise(dotAt(perp, 0, centers.data, segId * centers.cols, centers.cols), scales[1]!);
    writer.write(segId, width);
    writer.write(qAlpha + 128, 8);
    writer.write(qT + 128, 8);
    return this.#fromLengths(segId, qAlpha, qT);
  }

  #readHead(reader: BitReader): Float64Array {
    const { layout, centers } = this.#state;
    const segId = reader.read(segmentBits(centers.rows));
    expect(segId < centers.rows, () => {
      return `The code names center ${segId} but the coder has ${centers.rows}; it belongs to another coder or is torn.`;
    });
    if (layout === 'centroids') return Float64Array.from(rowOf(centers, segId));
    const qAlpha = reader.read(8) - 128;
    return this.#fromLengths(segId, qAlpha, reader.read(8) - 128);
  }

  #fromLengths(segId: number, qAlpha: number, qT: number): Float64Array {
    const { tDir, centers, scales } = this.#state;
    const center = rowOf(centers, segId);
    return Float64Array.from(
      tDir,
      (direction, i) => qAlpha * scales[0]! * direction + qT * scales[1]! * center[i]!,
    );
  }
}

/** Bits of a code that do not belong to the residual. */
export function layoutBits(layout: TrellisLayout, k: number): number {
  return segmentBits(k) + (layout === 'lengths' ? 16 : 0);
}
