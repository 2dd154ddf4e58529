import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { hashedSentences, type Matrix, matrix, Random, type VectorSplit } from '../src/index.js';

/** Rows of standard normals. */
export function gaussian(rows: number, cols: number, seed: number, scale = 1): Matrix {
  return matrix(rows, cols, new Random(seed).normals(rows * cols, scale));
}

/** Rows of `rank` Gaussian factors mixed into `cols` dimensions plus noise. */
export function lowRank(rows: number, cols: number, rank: number, noise: number, seed: number): Matrix {
  const random = new Random(seed);
  const mixing = random.normals(rank * cols);
  const data = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    const factors = random.normals(rank);
    for (let j = 0; j < cols; j++) {
      let value = noise * random.normal();
      for (let k = 0; k < rank; k++) value += factors[k]! * mixing[k * cols + j]!;
      data[i * cols + j] = value;
    }
  }
  return matrix(rows, cols, data);
}

/** Rows [from, to) as a matrix of their own. */
export function slice(m: Matrix, from: number, to: number): Matrix {
  return matrix(to - from, m.cols, m.data.slice(from * m.cols, to * m.cols));
}

/** 5,000 sentences of Shakespeare as hashed tf-idf vectors, 4,000 to learn from. */
export function sentenceVectors(testRows: number): VectorSplit {
  const packed = readFileSync(join(import.meta.dirname, 'fixtures', 'sentences.txt.gz'));
  const vectors = hashedSentences(gunzipSync(packed).toString('utf8').split('\n'));
  return { name: 'sentences', train: slice(vectors, 0, 4000), test: slice(vectors, 4000, 4000 + testRows) };
}

export function relativeError(v: ArrayLike<number>, w: ArrayLike<number>): number {
  let error = 0;
  let energy = 0;
  for (let i = 0; i < v.length; i++) {
    error += (v[i]! - w[i]!) ** 2;
    energy += v[i]! ** 2;
  }
  return Math.sqrt(error / energy);
}
