import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import { type CellSpecInput, cellSpecSchema } from './cell.js';

/** Version of every Palimpsest package that takes part. */
export type Versions = Readonly<Record<string, string>>;

/**
 * Content address of a cell: SHA-256, in hexadecimal, of the canonical JSON of its parsed specification and the versions.
 * The engine must be a real one: `auto` means different ones on different machines.
 */
export function cellKey(spec: CellSpecInput, versions: Versions): string {
  const content = canonicalJson({ spec: cellSpecSchema.parse(spec), versions });
  return createHash('sha256').update(content).digest('hex');
}
