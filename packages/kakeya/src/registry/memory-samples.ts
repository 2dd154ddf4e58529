import type { BundleName } from '../config.js';
import { type FloatArray, type Matrix, matrixFromRows, rowOf } from '../linalg/matrix.js';
import type { Slice } from '../set/field-scaling.js';
import type { EntryRows } from './registry-build.js';
import type { RoutingEntry } from './routing.js';

/** Something known for some of the bundles. */
export type PerBundle<T> = Readonly<Partial<Record<BundleName, T>>>;

/** One raw memory kept for rebuilding: its fields and, if known, its base coordinates. */
export interface MemorySample {
  readonly fields: Readonly<Record<string, Float32Array>>;
  readonly base: PerBundle<Float32Array>;
}

/** Memory i of field matrices [n, d] and base coordinates [n, b]; fields with fewer rows are left out. */
export function sampleAt(
  index: number,
  fields: Readonly<Record<string, Matrix>>,
  base: PerBundle<Matrix>,
): MemorySample {
  const pick = (source: Readonly<Record<string, Matrix>>) =>
    Object.fromEntries(
      Object.entries(source)
        .filter(([, rows]) => index < rows.rows)
        .map(([name, rows]) => [name, Float32Array.from(rowOf(rows, index))]),
    );
  return { fields: pick(fields), base: pick(base as Readonly<Record<string, Matrix>>) };
}

/**
 * Rows of one routing entry from the samples that hold all its fields, or null with fewer than two. Base coordinates
 * come along only when every such sample has them.
 */
export function rowsOfSamples(entry: RoutingEntry, samples: readonly MemorySample[]): EntryRows | null {
  const complete = samples.filter((sample) => entry.fields.every((f) => sample.fields[f] !== undefined));
  if (complete.length < 2) return null;
  const slices: Slice[] = [];
  let width = 0;
  for (const field of entry.fields) {
    const columns = complete[0]!.fields[field]!.length;
    slices.push([width, width + columns]);
    width += columns;
  }
  const rows = matrixFromRows(complete.map(({ fields }) => entry.fields.flatMap((f) => [...fields[f]!])));
  const base = complete.map((sample) => sample.base[entry.owner]);
  const known = base.filter((b): b is Float32Array => b !== undefined);
  return known.length === complete.length
    ? { rows, slices, base: matrixFromRows(known as FloatArray[]) }
    : { rows, slices };
}
