import type { SketchTable } from './sketch-table.js';

/** A table restricted to the u ≤ min(d, m) buckets that some input reaches. */
export interface CompactTable {
  /** The buckets in use, ascending, `[u]`. */
  readonly used: Int32Array;
  /** For every input, the place of its bucket in `used`, `[d]`. */
  readonly index: Int32Array;
  /** The table's signs, `[d]`. */
  readonly sign: Float32Array;
}

/** Drops the buckets that stay zero; inner products of sketches are unchanged, term for term (DERIVATION.md, "CountSketch"). */
export function compactTable(table: SketchTable): CompactTable {
  const used = Int32Array.from([...new Set(table.index)].sort((a, b) => a - b));
  const place = new Map(Array.from(used, (bucket, position) => [bucket, position]));
  const index = table.index.map((bucket) => place.get(bucket)!);
  return { used, index, sign: table.sign.slice() };
}
