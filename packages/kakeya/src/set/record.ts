import { expect } from '../errors.js';
import type { Skeleton } from './skeleton.js';

/** What every stored vector carries besides its code. */
interface RecordHeader {
  readonly setIdx: number;
  /** Build of the set that made this record; decoding with another build is refused. */
  readonly epoch: number;
  /** |v - decoded| / max(|v|, 1e-8), measured when encoded, in the set's scaled space. */
  readonly relErr: number;
  /** The same per concatenated field. */
  readonly fieldRelErr: readonly number[];
}

/** The coded part of the reference's record. */
export interface SparseCode {
  /** Number of the segment center. */
  readonly segId: number;
  /** Coordinate along the aligned direction. */
  readonly alpha: number;
  /** Signed length along the center (tau in the formulas). */
  readonly t: number;
  /** [dRes]. */
  readonly residualVals: Float32Array;
  /** PCA coordinates of the residual values, [dRes]. */
  readonly residualIdx: Int32Array;
}

export interface SparseVec extends RecordHeader, SparseCode {
  readonly kind: 'sparse';
}

export interface CodedVec extends RecordHeader {
  readonly kind: 'bytes';
  /** Output of the set's byte coder. */
  readonly bytes: Uint8Array;
}

/** One stored vector. */
export type CompressedVec = SparseVec | CodedVec;

/** Byte layouts of a sparse record: the reference's 4-byte integers, or one byte where numbers fit. */
export type RecordFormat = 'reference' | 'packed';

function narrow(skeleton: Pick<Skeleton, 'K' | 'dEff'>): boolean {
  return skeleton.K <= 256 && skeleton.dEff <= 256;
}

/**
 * Bytes of one sparse record: 12 + 8 dRes, or packed 9 + 5 dRes (10 + 6 dRes from 257 centers or components). Once
 * every coefficient is kept (dRes = dEff) the packed form is the plain coefficients, 4 dEff.
 */
export function recordBytes(skeleton: Pick<Skeleton, 'K' | 'dEff' | 'dRes'>, format: RecordFormat): number {
  if (format === 'reference') return 12 + 8 * skeleton.dRes;
  if (skeleton.dRes >= skeleton.dEff) return 4 * skeleton.dEff;
  return narrow(skeleton) ? 9 + 5 * skeleton.dRes : 10 + 6 * skeleton.dRes;
}

/** Packs a sparse record, little endian: segment, alpha, t, residual indices, residual values. */
export function packRecord(code: SparseCode, skeleton: Skeleton): Uint8Array {
  const bytes = new Uint8Array(recordBytes(skeleton, 'packed'));
  const view = new DataView(bytes.buffer);
  if (skeleton.dRes >= skeleton.dEff) {
    denseCoefficients(code, skeleton).forEach((value, i) => {
      view.setFloat32(4 * i, value, true);
    });
    return bytes;
  }
  const width = narrow(skeleton) ? 1 : 2;
  const putIndex = (at: number, value: number) =>
    width === 1 ? view.setUint8(at, value) : view.setUint16(at, value, true);
  putIndex(0, code.segId);
  view.setFloat32(width, code.alpha, true);
  view.setFloat32(width + 4, code.t, true);
  const start = width + 8;
  for (let i = 0; i < skeleton.dRes; i++) {
    putIndex(start + i * width, code.residualIdx[i]!);
    view.setFloat32(start + skeleton.dRes * width + 4 * i, code.residualVals[i]!, true);
  }
  return bytes;
}

/** Inverse of {@link packRecord}; dense records come back with alpha = t = 0 and every coefficient as residual. */
export function unpackRecord(bytes: Uint8Array, skeleton: Skeleton): SparseCode {
  const expected = recordBytes(skeleton, 'packed');
  expect(bytes.length === expected, () => {
    return `A packed record of this set has ${expected} bytes, got ${bytes.length}; it belongs to another set or is torn.`;
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const residualVals = new Float32Array(skeleton.dRes);
  const residualIdx = new Int32Array(skeleton.dRes);
  if (skeleton.dRes >= skeleton.dEff) {
    for (let i = 0; i < skeleton.dEff; i++) {
      residualVals[i] = view.getFloat32(4 * i, true);
      residualIdx[i] = i;
    }
    return { segId: 0, alpha: 0, t: 0, residualVals, residualIdx };
  }
  const width = narrow(skeleton) ? 1 : 2;
  const getIndex = (at: number) => (width === 1 ? view.getUint8(at) : view.getUint16(at, true));
  const start = width + 8;
  for (let i = 0; i < skeleton.dRes; i++) {
    residualIdx[i] = getIndex(start + i * width);
    residualVals[i] = view.getFloat32(start + skeleton.dRes * width + 4 * i, true);
  }
  const code = {
    segId: getIndex(0),
    alpha: view.getFloat32(width, true),
    t: view.getFloat32(width + 4, true),
    residualVals,
    residualIdx,
  };
  expectCodeFits(code, skeleton);
  return code;
}

/** Refuses a code that points outside the skeleton. */
export function expectCodeFits(code: SparseCode, skeleton: Skeleton): void {
  expect(code.segId >= 0 && code.segId < skeleton.K, () => {
    return `The record names segment ${code.segId} but the set has ${skeleton.K}; it belongs to another build of the set.`;
  });
  for (const index of code.residualIdx) {
    expect(index >= 0 && index < skeleton.dEff, () => {
      return `The record names component ${index} but the set has ${skeleton.dEff}; it belongs to another build of the set.`;
    });
  }
}

/** alpha tDir + t center + residual: the PCA coefficients that a record stands for, [dEff]. */
export function denseCoefficients(code: SparseCode, skeleton: Skeleton): Float64Array {
  const result = new Float64Array(skeleton.dEff);
  writeDense(code, skeleton, result, 0);
  return result;
}

/** {@link denseCoefficients} into a target from `at` on. */
export function writeDense(code: SparseCode, skeleton: Skeleton, target: Float64Array, at: number): void {
  const { dEff, tDir, centers } = skeleton;
  const { alpha, t, residualIdx, residualVals } = code;
  const from = code.segId * dEff;
  for (let i = 0; i < dEff; i++) target[at + i] = alpha * tDir[i]! + t * centers.data[from + i]!;
  for (let i = 0; i < residualIdx.length; i++) target[at + residualIdx[i]!]! += residualVals[i]!;
}
