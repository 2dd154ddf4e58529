import { expectInteger } from '../linalg/checks.js';
import { skeletonFloats } from './skeleton.js';

/** Size of one set with a float32 skeleton and the reference's records. */
export interface AccountingParams {
  /** Stored records. */
  readonly n: number;
  /** Width of a vector. */
  readonly d: number;
  readonly dEff: number;
  readonly K: number;
  readonly dRes: number;
}

export interface AccountingRow extends AccountingParams {
  readonly originalBytes: number;
  readonly skeletonBytes: number;
  readonly entryBytesReference: number;
  readonly compressedBytes: number;
  /** original / compressed: below 1 the codec makes the store larger. */
  readonly ratio: number;
  /** First n at which the compressed form is smaller, or null when no n is enough. */
  readonly breakEvenN: number | null;
}

/** Bytes of n float32 vectors before and after compression (DERIVATION.md, "Accounting"). */
export function accounting(params: AccountingParams): AccountingRow {
  const { n, d, dEff, K, dRes } = params;
  expectInteger(n, 0, 'n of the accounting');
  expectInteger(d, 1, 'd of the accounting');
  const originalBytes = 4 * n * d;
  const skeletonBytes = 4 * skeletonFloats(dEff, d, K);
  const entryBytesReference = 12 + 8 * dRes;
  const compressedBytes = skeletonBytes + n * entryBytesReference;
  return {
    ...params,
    originalBytes,
    skeletonBytes,
    entryBytesReference,
    compressedBytes,
    ratio: originalBytes / compressedBytes,
    breakEvenN: breakEven(skeletonBytes, 4 * d, entryBytesReference),
  };
}

/** First n with fixed + n * compressed < n * original, or null when there is none. */
export function breakEven(fixedBytes: number, originalBytes: number, compressedBytes: number): number | null {
  const saved = originalBytes - compressedBytes;
  return saved > 0 ? Math.floor(fixedBytes / saved) + 1 : null;
}
