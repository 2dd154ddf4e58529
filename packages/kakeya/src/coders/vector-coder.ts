import { expect } from '../errors.js';
import { type FloatArray, type Matrix, matrix, times } from '../linalg/matrix.js';
import type { CodeRows } from '../search/code-rows.js';

/** A trained map from vectors [dimension] to a fixed number of bytes and back. */
export interface VectorCoder {
  /** Which coder this is, as in the configuration. */
  readonly coder: string;
  readonly dimension: number;
  readonly bytesPerVec: number;
  /** Bytes of everything needed to decode, at the precision it is stored in. */
  readonly skeletonBytes: number;
  /** Exactly `bytesPerVec` bytes. Throws on another length or non-finite numbers. */
  encode(v: FloatArray): Uint8Array;
  /** Codes of rows [n, D]; the same bytes as {@link encode} row by row. */
  encodeRows(rows: Matrix): Uint8Array[];
  /** Throws on another number of bytes or a code that no vector has. */
  decode(bytes: Uint8Array): Float32Array;
  /** Rows [n, D] of codes; the same numbers as {@link decode} code by code. */
  decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array>;
  /** Prepares a query once; the result maps a code to query . decoded without decoding it. */
  scorer(query: FloatArray): (bytes: Uint8Array) => number;
  /** Room for codes that are searched together; without it each is scored by {@link scorer}. */
  rows?(): CodeRows;
  /** Named arrays from which the coder can be rebuilt. */
  tensors(): Record<string, CoderTensor>;
}

/** Codes of coefficients, and the coefficients [n, r] that they stand for. */
export interface CodedRows {
  readonly codes: Uint8Array[];
  readonly decoded: Matrix;
}

/** A coder that codes coefficients in a basis: decoded = coefficients * basis + mean. */
export interface LinearCoder extends VectorCoder {
  /** [r, D]. */
  readonly basis: Matrix;
  readonly mean: FloatArray;
  /** Codes of rows' coefficients [n, r]. */
  encodeCoefficients(coefficients: Matrix): CodedRows;
}

/** One array of a coder's saved form. */
export type CoderTensor = Matrix | Float32Array | Int32Array;

/** Rows [n, D] of PCA coefficients [n, r]: one product with the basis, plus the mean. */
export function decodedRows(coefficients: Matrix, basis: Matrix, mean: FloatArray): Matrix<Float32Array> {
  const { rows, cols, data } = times(coefficients, basis);
  const result = new Float32Array(data.length);
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < cols; j++, at++) result[at] = data[at]! + mean[j]!;
  return matrix(rows, cols, result);
}

/** Rows decoded one by one, for coders whose codes are no products. */
export function decodedOneByOne(
  codes: readonly Uint8Array[],
  width: number,
  decode: (bytes: Uint8Array) => Float32Array,
): Matrix<Float32Array> {
  const result = matrix(codes.length, width, new Float32Array(codes.length * width));
  codes.forEach((bytes, row) => {
    result.data.set(decode(bytes), row * width);
  });
  return result;
}

/** Refuses a code of the wrong size. */
export function expectCodeLength(bytes: Uint8Array, length: number, coder: string): void {
  expect(bytes.length === length, () => {
    return `A ${coder} code has ${length} bytes, got ${bytes.length}; it belongs to another coder or is torn.`;
  });
}
