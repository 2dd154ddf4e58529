import type { SketchTable } from './sketch-table.js';

/** A table restricted to the buckets that some input reaches. */
export interface CompactTable {
  /** The u buckets in use, ascending. */
  readonly used: Int32Array;
  /** For every input, the place of its bucket in `used`. */
  readonly index: Int32Array;
  readonly sign: Float32Array;
}

/** Drops the buckets that stay zero; inner products of sketches are unchanged, term for term. */
export function compactTable(table: SketchTable): CompactTable {
  const used = Int32Array.from([...new Set(table.index)].sort((a, b) => a - b));
  const place = new Map(Array.from(used, (bucket, position) => [bucket, position]));
  const index = table.index.map((bucket) => place.get(bucket)!);
  return { used, index, sign: table.sign.slice() };
}
