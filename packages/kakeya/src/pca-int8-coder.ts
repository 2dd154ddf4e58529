import { expectInteger, expectVector } from './checks.js';
import {
  addScaledRow,
  centred,
  dot,
  dotAt,
  type FloatArray,
  type Matrix,
  matrix,
  timesTransposed,
} from './matrix.js';
import { computePca } from './pca.js';
import { roundMatrixTo, roundTo } from './skeleton.js';
import { quantise } from './transform-state.js';
import { type CoderTensor, expectCodeLength, type VectorCoder } from './vector-coder.js';

/** Baseline: the first n principal components, one signed byte each, step max|training coefficient| / 127. */
export class PcaInt8Coder implements VectorCoder {
  readonly coder = 'pca-int8';
  readonly #basis: Matrix;
  readonly #mean: Float32Array;
  readonly #scales: Float32Array;
  readonly bytesPerVec: number;

  constructor(parts: { basis: Matrix; mean: Float32Array; scales: Float32Array }, bytesPerVec: number) {
    this.#basis = parts.basis;
    this.#mean = parts.mean;
    this.#scales = parts.scales;
    this.bytesPerVec = bytesPerVec;
  }

  /** Learns from rows [n, D]; with fewer than `bytesPerVec` components the rest of a code is zero bytes. */
  static train(x: Matrix, options: { bytesPerVec: number }): PcaInt8Coder {
    expectInteger(options.bytesPerVec, 1, 'bytesPerVec of pca-int8');
    const pca = computePca(x, 1, { rankRule: 'numerical' });
    const kept = Math.min(options.bytesPerVec, pca.dEff);
    const basis = roundMatrixTo('f32', matrix(kept, x.cols, pca.basis.data.slice(0, kept * x.cols)));
    const coefficients = timesTransposed(centred(x, pca.mean), basis);
    const largest = new Float64Array(kept).fill(1e-12);
    coefficients.data.forEach((value, i) => {
      largest[i % kept] = Math.max(largest[i % kept]!, Math.abs(value));
    });
    const scales = Float32Array.from(largest, (value) => value / 127);
    return new PcaInt8Coder({ basis, mean: roundTo('f32', pca.mean), scales }, options.bytesPerVec);
  }

  get dimension(): number {
    return this.#basis.cols;
  }

  get skeletonBytes(): number {
    return 4 * (this.#basis.rows * this.#basis.cols + this.#basis.cols + this.#basis.rows);
  }

  encode(v: FloatArray): Uint8Array {
    expectVector(v, this.dimension, 'A vector for pca-int8');
    const shifted = Float64Array.from(v, (x, j) => x - this.#mean[j]!);
    const bytes = new Int8Array(this.bytesPerVec);
    for (let i = 0; i < this.#basis.rows; i++) {
      const value = dotAt(this.#basis.data, i * this.#basis.cols, shifted, 0, this.#basis.cols);
      bytes[i] = quantise(value, this.#scales[i]!);
    }
    return new Uint8Array(bytes.buffer);
  }

  decode(bytes: Uint8Array): Float32Array {
    const sum = Float64Array.from(this.#mean);
    this.#coefficients(bytes).forEach((value, i) => {
      addScaledRow(sum, this.#basis, i, value);
    });
    return Float32Array.from(sum);
  }

  scorer(query: FloatArray): (bytes: Uint8Array) => number {
    const projected = Float64Array.from({ length: this.#basis.rows }, (_, i) =>
      dotAt(this.#basis.data, i * this.#basis.cols, query, 0, this.#basis.cols),
    );
    const constant = dot(this.#mean, query);
    return (bytes) => constant + dot(projected, this.#coefficients(bytes));
  }

  tensors(): Record<string, CoderTensor> {
    return { basis: this.#basis, mean: this.#mean, scales: this.#scales };
  }

  #coefficients(bytes: Uint8Array): Float64Array {
    expectCodeLength(bytes, this.bytesPerVec, this.coder);
    return Float64Array.from(this.#scales, (scale, i) => scale * ((bytes[i]! << 24) >> 24));
  }
}
