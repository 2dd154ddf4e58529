import { BitReader, BitWriter } from './bit-stream.js';
import { expectVector } from './checks.js';
import { expect } from './errors.js';
import { levelIndex, lloydMaxLevels, thresholdsOf } from './lloyd-max.js';
import { addScaledRow, dot, dotAt, type FloatArray, type Matrix, rowOf, timesVector } from './matrix.js';
import type { SkeletonDtype } from './skeleton.js';
import { nearestCenter } from './sparse-codec.js';
import {
  codedSkeletonBytes,
  expectTransformState,
  quantise,
  segmentBits,
  type TransformCode,
  type TransformOptions,
  type TransformState,
} from './transform-state.js';
import { trainTransform } from './transform-training.js';
import { type CoderTensor, expectCodeLength, type VectorCoder } from './vector-coder.js';

/**
 * The Kakeya geometry, coded (spec 9.2): center number, alpha and tau in 8 bits each, and the residual in its own
 * principal frame with Lloyd-Max levels, bits shared out by reverse water-filling.
 */
export class TransformCoder implements VectorCoder {
  readonly coder = 'transform';
  readonly #state: TransformState;
  readonly #dtype: SkeletonDtype;
  readonly #segmentBits: number;
  readonly #levels: readonly Float64Array[];
  readonly #thresholds: readonly Float64Array[];
  readonly bytesPerVec: number;

  constructor(state: TransformState, bytesPerVec: number, dtype: SkeletonDtype = 'f32') {
    expectTransformState(state, bytesPerVec);
    this.#state = state;
    this.#dtype = dtype;
    this.bytesPerVec = bytesPerVec;
    this.#segmentBits = segmentBits(state.centers.rows);
    const widest = Math.max(0, ...state.bits);
    this.#levels = Array.from({ length: widest + 1 }, (_, b) =>
      b === 0 ? Float64Array.of(0) : lloydMaxLevels(b),
    );
    this.#thresholds = this.#levels.map(thresholdsOf);
  }

  /**
   * Learns from rows X [n, D] and the axis in field space [D]. Throws on fewer than two rows, non-finite numbers or a
   * budget below the 16 bits of (alpha, tau) and the center number.
   */
  static train(x: Matrix, axis: FloatArray, options: TransformOptions): TransformCoder {
    return new TransformCoder(trainTransform(x, axis, options), options.bytesPerVec, options.skeletonDtype);
  }

  get state(): TransformState {
    return this.#state;
  }

  get dimension(): number {
    return this.#state.basis.cols;
  }

  get skeletonBytes(): number {
    return codedSkeletonBytes(this.#state.basis, this.#state.centers.rows, this.#dtype);
  }

  encode(v: FloatArray): Uint8Array {
    expectVector(v, this.dimension, 'A vector for the transform coder');
    return this.pack(this.quantiseVector(v));
  }

  decode(bytes: Uint8Array): Float32Array {
    const sum = Float64Array.from(this.#state.mean);
    this.coefficients(bytes).forEach((value, i) => {
      addScaledRow(sum, this.#state.basis, i, value);
    });
    return Float32Array.from(sum);
  }

  /** The whole numbers that stand for v [D]. */
  quantiseVector(v: FloatArray): TransformCode {
    const { basis, mean, tDir, centers, residualMean, sigma, bits, scales } = this.#state;
    const coefficients = timesVector(
      basis,
      Float64Array.from(v, (x, j) => x - mean[j]!),
    );
    const alpha = dotAt(coefficients, 0, tDir, 0, tDir.length);
    const perp = coefficients.map((value, i) => value - alpha * tDir[i]!);
    const segId = nearestCenter(perp, centers, false);
    const qAlpha = quantise(alpha, scales[0]!);
    const qT = quantise(dotAt(perp, 0, centers.data, segId * centers.cols, centers.cols), scales[1]!);
    const predicted = this.#predicted(segId, qAlpha, qT);
    const levels = new Int32Array(bits.length);
    for (let i = 0; i < bits.length; i++) {
      if (bits[i] === 0) continue;
      const z = coefficients[i]! - predicted[i]! - residualMean[i]!;
      levels[i] = levelIndex(this.#thresholds[bits[i]!]!, sigma[i]! > 0 ? z / sigma[i]! : 0);
    }
    return { segId, qAlpha, qT, levels };
  }

  /** Segment, alpha + 128, tau + 128, then the levels, least significant bit first, zero padded. */
  pack(code: TransformCode): Uint8Array {
    const writer = new BitWriter(this.bytesPerVec);
    writer.write(code.segId, this.#segmentBits);
    writer.write(code.qAlpha + 128, 8);
    writer.write(code.qT + 128, 8);
    this.#state.bits.forEach((width, i) => {
      writer.write(code.levels[i]!, width);
    });
    return writer.bytes;
  }

  /** Inverse of {@link pack}. Throws on a wrong length or an unknown center. */
  unpack(bytes: Uint8Array): TransformCode {
    expectCodeLength(bytes, this.bytesPerVec, this.coder);
    const reader = new BitReader(bytes);
    const segId = reader.read(this.#segmentBits);
    expect(segId < this.#state.centers.rows, () => {
      return `The code names center ${segId} but the coder has ${this.#state.centers.rows}; it belongs to another coder or is torn.`;
    });
    const qAlpha = reader.read(8) - 128;
    const qT = reader.read(8) - 128;
    return { segId, qAlpha, qT, levels: this.#state.bits.map((width) => reader.read(width)) };
  }

  /** Decoded PCA coefficients, [r]. */
  coefficients(bytes: Uint8Array): Float64Array {
    const { sigma, bits, residualMean } = this.#state;
    const code = this.unpack(bytes);
    const result = this.#predicted(code.segId, code.qAlpha, code.qT);
    for (let i = 0; i < result.length; i++) {
      result[i]! += residualMean[i]! + this.#levels[bits[i]!]![code.levels[i]!]! * sigma[i]!;
    }
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

  #predicted(segId: number, qAlpha: number, qT: number): Float64Array {
    const { tDir, centers, scales } = this.#state;
    const alpha = qAlpha * scales[0]!;
    const tau = qT * scales[1]!;
    const center = rowOf(centers, segId);
    return Float64Array.from(tDir, (direction, i) => alpha * direction + tau * center[i]!);
  }
}
