import type { MemEntry } from './entry.js';
import { COORDINATES, coordinateProblem, type EntrySizes } from './entry.js';
import { largeFields } from './large-fields.js';

/** What the store asks of a registry of Kakeya sets. */
export interface InvariantRegistry<Handle = unknown> {
  /** Messages for invariants 3 and, with axes, 4. */
  verifyInvariants(entries: number, axes?: Readonly<Record<string, ArrayLike<number>>>): string[];
  /** The decoded field, or null when the handle has none of that name. */
  decodeField?(handle: Handle, field: string): ArrayLike<number> | null;
}

export interface InvariantSettings extends EntrySizes {
  readonly compressionMinDim: number;
  readonly kakeyaReconstructionTol: number;
  readonly mode: 'parity' | 'improved';
}

/** Invariants 1 and 2 of one entry: nine well-formed coordinates, and no raw large array. */
export function entryProblems(entry: MemEntry, settings: InvariantSettings): string[] {
  const messages: string[] = [];
  for (const name of COORDINATES) {
    const problem = coordinateProblem(entry[name], name, settings);
    if (problem) messages.push(`invariant 1: entry ${entry.mid}: ${problem}`);
  }
  const strict = settings.mode === 'improved';
  for (const { path, shape } of largeFields(entry, settings.compressionMinDim, strict)) {
    messages.push(`invariant 2: entry ${entry.mid}: raw field '${path}' of shape [${shape.join(', ')}]`);
  }
  return messages;
}

/**
 * Invariant 5 of one entry: every compressed field comes back to within the tolerance. Uses the errors that the writer
 * recorded, and the originals where the caller still has them.
 */
export function reconstructionProblems<Handle>(
  entry: MemEntry<Handle>,
  tolerance: number,
  registry?: InvariantRegistry<Handle>,
  original?: (mid: number) => Readonly<Record<string, ArrayLike<number>>> | undefined,
): string[] {
  const errors: Record<string, number> = { ...entry.reconstructionErrors };
  const messages: string[] = [];
  for (const [field, exact] of Object.entries(original?.(entry.mid) ?? {})) {
    const decoded = entry.kakeyaHandle ? registry?.decodeField?.(entry.kakeyaHandle, field) : null;
    if (decoded) errors[field] = relativeError(decoded, exact);
    else messages.push(`invariant 5: entry ${entry.mid}: field '${field}' is not stored`);
  }
  for (const [field, error] of Object.entries(errors)) {
    if (error <= tolerance) continue;
    messages.push(
      `invariant 5: entry ${entry.mid}: field '${field}' has relative error ${error.toPrecision(3)} > ${tolerance}`,
    );
  }
  return messages;
}

function relativeError(decoded: ArrayLike<number>, exact: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    difference += ((decoded[i] ?? Number.NaN) - exact[i]!) ** 2;
    size += exact[i]! ** 2;
  }
  return Math.sqrt(difference / Math.max(size, 1e-300));
}
