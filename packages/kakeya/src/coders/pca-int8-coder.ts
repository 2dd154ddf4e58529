import { expectFiniteRows, expectInteger, expectVector } from '../linalg/checks.js';
import {
  centred,
  dot,
  dotAt,
  type FloatArray,
  type Matrix,
  matrix,
  rowOf,
  timesTransposed,
} from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { roundMatrixTo, roundTo } from '../set/skeleton.js';
import { quantise } from './transform-state.js';
import { type CoderTensor, decodedRows, expectCodeLength, type VectorCoder } from './vector-coder.js';

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
    return this.encodeRows(matrix(1, this.dimension, Float64Array.from(v)))[0]!;
  }

  encodeRows(rows: Matrix): Uint8Array[] {
    expectFiniteRows(rows, 'pca-int8');
    const coefficients = timesTransposed(centred(rows, this.#mean), this.#basis);
    const kept = this.#basis.rows;
    return Array.from({ length: rows.rows }, (_, row) => {
      const bytes = new Int8Array(this.bytesPerVec);
      for (let i = 0; i < kept; i++)
        bytes[i] = quantise(coefficients.data[row * kept + i]!, this.#scales[i]!);
      return new Uint8Array(bytes.buffer);
    });
  }

  decode(bytes: Uint8Array): Float32Array {
    return rowOf(this.decodeRows([bytes]), 0) as Float32Array;
  }

  decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array> {
    const coefficients = matrix(codes.length, this.#basis.rows);
    codes.forEach((bytes, row) => {
      coefficients.data.set(this.#coefficients(bytes), row * this.#basis.rows);
    });
    return decodedRows(coefficients, this.#basis, this.#mean);
  }

  scorer(query: FloatArray): (bytes: Uint8Array) => number {
    const projected = Float64Array.from({ length: this.#basis.rows }, (_, i) =>
      dotAt(this.#basis.data, i * this.#basis.cols, query, 0, this.#basis.cols),
    );
    const constant = dot(this.#mean, query);
    const steps = projected.map((value, i) => value * this.#scales[i]!);
    return (bytes) => {
      expectCodeLength(bytes, this.bytesPerVec, this.coder);
      let sum = constant;
      for (let i = 0; i < steps.length; i++) sum += steps[i]! * ((bytes[i]! << 24) >> 24);
      return sum;
    };
  }

  tensors(): Record<string, CoderTensor> {
    return { basis: this.#basis, mean: this.#mean, scales: this.#scales };
  }

  #coefficients(bytes: Uint8Array): Float64Array {
    expectCodeLength(bytes, this.bytesPerVec, this.coder);
    return Float64Array.from(this.#scales, (scale, i) => scale * ((bytes[i]! << 24) >> 24));
  }
}
