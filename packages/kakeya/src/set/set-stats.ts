import { breakEven } from './accounting.js';
import type { KakeyaSet } from './kakeya-set.js';
import { recordBytes } from './record.js';
import { skeletonFloats } from './skeleton.js';

/** Bytes of one set. Counts are of vectors of width d. */
export interface SetStats {
  readonly setIdx: number;
  readonly fields: readonly string[];
  readonly active: boolean;
  readonly entries: number;
  readonly d: number;
  /** Retained components and centers. */
  readonly r: number;
  readonly K: number;
  readonly originalBytes: number;
  /** Skeleton, coder tables and field scales at the precision they are stored in. */
  readonly skeletonBytes: number;
  /** One record in the set's own format: packed sparse, or bytesPerVec. */
  readonly entryBytes: number;
  /** One record in each format that the set could store. */
  readonly entryBytesByFormat: Readonly<Record<string, number>>;
  /** Epoch and errors kept beside a record, which no coder needs. */
  readonly bookkeepingBytesPerEntry: number;
  /** skeleton + entries * entryBytes. */
  readonly compressedBytes: number;
  readonly ratio: number;
  readonly breakEvenN: number | null;
}

/** See {@link SetStats}. An inactive set has zeros. */
export function setStats(set: KakeyaSet, entries: number): SetStats {
  const { setIdx, compressedFields: fields, state, config } = set;
  if (state === null) {
    return {
      ...{ setIdx, fields, active: false, entries: 0, d: 0, r: 0, K: 0, originalBytes: 0, skeletonBytes: 0 },
      ...{ entryBytes: 0, entryBytesByFormat: {}, bookkeepingBytesPerEntry: 0, compressedBytes: 0 },
      ...{ ratio: 0, breakEvenN: null },
    };
  }
  const { skeleton, coder, scale, slices } = state;
  const d = skeleton.basis.cols;
  const width = config.skeletonDtype === 'f16' ? 2 : 4;
  const owned = width * skeletonFloats(skeleton.dEff, d, skeleton.K);
  // A transform or trellis coder holds the skeleton itself; the other coders need it only for the alignment.
  const shared = coder !== null && (coder.coder === 'transform' || coder.coder === 'trellis');
  const coded = coder === null ? owned : coder.skeletonBytes + (shared ? 0 : owned);
  const skeletonBytes = coded + (scale === null ? 0 : 4 * slices.length);
  const entryBytesByFormat = formatsOf(set);
  const format = coder !== null ? 'bytes' : config.mode === 'parity' ? 'reference' : 'packed';
  const entryBytes = entryBytesByFormat[format]!;
  const compressedBytes = skeletonBytes + entries * entryBytes;
  return {
    setIdx,
    fields,
    active: true,
    entries,
    d,
    r: skeleton.dEff,
    K: skeleton.K,
    originalBytes: 4 * d * entries,
    skeletonBytes,
    entryBytes,
    entryBytesByFormat,
    bookkeepingBytesPerEntry: 4 * (2 + slices.length),
    compressedBytes,
    ratio: (4 * d * entries) / compressedBytes,
    breakEvenN: breakEven(skeletonBytes, 4 * d, entryBytes),
  };
}

function formatsOf(set: KakeyaSet): Record<string, number> {
  const { skeleton, coder } = set.state!;
  if (coder !== null) return { bytes: coder.bytesPerVec };
  return { reference: recordBytes(skeleton, 'reference'), packed: recordBytes(skeleton, 'packed') };
}
