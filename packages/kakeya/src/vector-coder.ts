import { expect } from './errors.js';
import type { FloatArray, Matrix } from './matrix.js';

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
  /** Throws on another number of bytes or a code that no vector has. */
  decode(bytes: Uint8Array): Float32Array;
  /** Prepares a query once; the result maps a code to query . decoded without decoding it. */
  scorer(query: FloatArray): (bytes: Uint8Array) => number;
  /** Named arrays from which the coder can be rebuilt. */
  tensors(): Record<string, CoderTensor>;
}

/** One array of a coder's saved form. */
export type CoderTensor = Matrix | Float32Array | Int32Array;

/** Refuses a code of the wrong size. */
export function expectCodeLength(bytes: Uint8Array, length: number, coder: string): void {
  expect(bytes.length === length, () => {
    return `A ${coder} code has ${length} bytes, got ${bytes.length}; it belongs to another coder or is torn.`;
  });
}
