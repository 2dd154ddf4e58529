import type { CompressedVec } from '../set/record.js';

/** The records of one memory, per field in order of set index; a record over several fields stands in each list. */
export class KakeyaHandle {
  readonly entries: Readonly<Record<string, readonly CompressedVec[]>>;

  constructor(entries: Readonly<Record<string, readonly CompressedVec[]>> = {}) {
    this.entries = entries;
  }

  /** Field names, sorted. */
  fields(): string[] {
    return Object.keys(this.entries).sort();
  }

  /** The record of a field in one set, or null. */
  get(field: string, setIdx: number): CompressedVec | null {
    return this.entries[field]?.find((record) => record.setIdx === setIdx) ?? null;
  }

  /** Every record once, in order of set index. */
  records(): CompressedVec[] {
    const unique = new Set(Object.values(this.entries).flat());
    return [...unique].sort((a, b) => a.setIdx - b.setIdx);
  }
}

/** A handle from records and the fields that each record's set covers. */
export function handleOf(
  records: readonly CompressedVec[],
  fieldsOf: (setIdx: number) => readonly string[],
): KakeyaHandle {
  const entries: Record<string, CompressedVec[]> = {};
  for (const record of records) {
    for (const field of fieldsOf(record.setIdx)) {
      const list = entries[field] ?? [];
      list.push(record);
      entries[field] = list;
    }
  }
  return new KakeyaHandle(entries);
}
