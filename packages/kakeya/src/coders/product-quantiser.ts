import { expect } from '../errors.js';
import { expectFiniteRows, expectInteger, expectVector } from '../linalg/checks.js';
import { kMeans, nearestCentroid } from '../linalg/kmeans.js';
import { dotAt, type FloatArray, type Matrix, matrix, norm, rowOf } from '../linalg/matrix.js';
import { Random } from '../linalg/random.js';
import { roundMatrixTo } from '../set/skeleton.js';
import { type CoderTensor, decodedOneByOne, expectCodeLength, type VectorCoder } from './vector-coder.js';

const CENTROIDS = 256;
const ROUNDS = 12;

/** Baseline: product quantisation (Jegou et al. 2011), m equal parts of the vector, 256 centroids each, m bytes. */
export class ProductQuantiser implements VectorCoder {
  readonly coder = 'pq';
  /** Centroids of part p are rows 256 p ... 256 p + 255, [256 m, D / m]. */
  readonly #codebook: Matrix;
  readonly #finders: readonly ((data: FloatArray, offset: number) => number)[];
  readonly bytesPerVec: number;
  /** Length of every decoded vector, where all training rows had one; otherwise decodings keep their own. */
  readonly radius: number | undefined;

  constructor(codebook: Matrix, bytesPerVec: number, radius?: number) {
    this.#codebook = codebook;
    this.radius = radius;
    this.bytesPerVec = bytesPerVec;
    this.#finders = Array.from({ length: bytesPerVec }, (_, part) => nearestCentroid(this.#part(part)));
  }

  /**
   * Learns from rows [n, D] with seeded k-means. Rows of one length, such as unit vectors, are decoded to that length: means of
   * parts are shorter than what they stand for, each by another share, which would rank codes by their shrinkage.
   * Throws unless bytesPerVec divides D.
   */
  static train(x: Matrix, options: { bytesPerVec: number; seed?: number }): ProductQuantiser {
    const m = options.bytesPerVec;
    expectInteger(m, 1, 'bytesPerVec of pq');
    expect(x.cols % m === 0, () => {
      return `Product quantisation cuts ${x.cols} dimensions into ${m} equal parts, which is impossible; pick a divisor.`;
    });
    expectFiniteRows(x, 'Product quantisation');
    const width = x.cols / m;
    const codebook = matrix(CENTROIDS * m, width);
    const random = new Random(options.seed ?? 0);
    for (let part = 0; part < m; part++) {
      const rows = matrix(x.rows, width);
      for (let i = 0; i < x.rows; i++) {
        const from = i * x.cols + part * width;
        rows.data.set(x.data.subarray(from, from + width), i * width);
      }
      codebook.data.set(kMeans(rows, CENTROIDS, ROUNDS, random).data, part * CENTROIDS * width);
    }
    return new ProductQuantiser(roundMatrixTo('f32', codebook), m, commonLength(x));
  }

  get dimension(): number {
    return this.bytesPerVec * this.#codebook.cols;
  }

  get skeletonBytes(): number {
    return 4 * this.#codebook.data.length;
  }

  encode(v: FloatArray): Uint8Array {
    expectVector(v, this.dimension, 'A vector for pq');
    const width = this.#codebook.cols;
    return Uint8Array.from(this.#finders, (find, part) => find(v, part * width));
  }

  decode(bytes: Uint8Array): Float32Array {
    expectCodeLength(bytes, this.bytesPerVec, this.coder);
    const width = this.#codebook.cols;
    const result = new Float32Array(this.dimension);
    bytes.forEach((code, part) => {
      const from = (part * CENTROIDS + code) * width;
      result.set(this.#codebook.data.subarray(from, from + width), part * width);
    });
    if (this.radius === undefined) return result;
    const factor = this.radius / Math.max(norm(result), Number.MIN_VALUE);
    return result.map((value) => factor * value);
  }

  encodeRows(rows: Matrix): Uint8Array[] {
    return Array.from({ length: rows.rows }, (_, row) => this.encode(rowOf(rows, row)));
  }

  decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array> {
    return decodedOneByOne(codes, this.dimension, (bytes) => this.decode(bytes));
  }

  scorer(query: FloatArray): (bytes: Uint8Array) => number {
    const width = this.#codebook.cols;
    const table = Float64Array.from({ length: this.#codebook.rows }, (_, row) =>
      dotAt(this.#codebook.data, row * width, query, Math.floor(row / CENTROIDS) * width, width),
    );
    const { radius } = this;
    const squares = Float64Array.from({ length: radius === undefined ? 0 : this.#codebook.rows }, (_, row) =>
      dotAt(this.#codebook.data, row * width, this.#codebook.data, row * width, width),
    );
    return (bytes) => {
      let sum = 0;
      let square = 0;
      for (let part = 0; part < bytes.length; part++) {
        const row = part * CENTROIDS + bytes[part]!;
        sum += table[row]!;
        if (radius !== undefined) square += squares[row]!;
      }
      return radius === undefined ? sum : (radius * sum) / Math.max(Math.sqrt(square), Number.MIN_VALUE);
    };
  }

  tensors(): Record<string, CoderTensor> {
    return { codebook: this.#codebook };
  }

  #part(part: number): Matrix {
    const width = this.#codebook.cols;
    const from = part * CENTROIDS * width;
    return matrix(CENTROIDS, width, this.#codebook.data.subarray(from, from + CENTROIDS * width));
  }
}

/** The length of all rows, if they agree to a thousandth. */
function commonLength(x: Matrix): number | undefined {
  const lengths = Array.from({ length: x.rows }, (_, i) => norm(rowOf(x, i)));
  const mean = lengths.reduce((sum, length) => sum + length, 0) / x.rows;
  return mean > 0 && lengths.every((length) => Math.abs(length - mean) <= 1e-3 * mean)
    ? Math.fround(mean)
    : undefined;
}
