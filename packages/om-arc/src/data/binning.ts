import { InputError } from '@palimpsest/tensor-core';

export interface BinningOptions {
  /** Upper ends of the bins by length, ascending; a last bin takes what is longer. */
  readonly cutoffs: readonly number[];
  /** Pads that a sample will have: a document of length n goes where n + numPad fits. */
  readonly numPad: number;
  /** Documents of a chunk file. */
  readonly chunkSize: number;
}

/** A chunk file of one bin. */
export interface Chunk {
  /** Folder by its bounds, as in `0-2049`, `4097+`. */
  readonly bin: string;
  /** As in `0000000000.json`. */
  readonly file: string;
  readonly documents: readonly (readonly number[])[];
}

/** Tokens of every chunk file of a bin, and of the bin. */
export type TokensSummary = Record<string, { tokens_per_file: Record<string, number>; tokens_total: number }>;

/** Names of the bins between cutoffs. */
export function binNames(cutoffs: readonly number[]): string[] {
  const starts = [0, ...cutoffs];
  return starts.map((start, i) => (i < cutoffs.length ? `${start}-${cutoffs[i]}` : `${start}+`));
}

/**
 * Sorts documents into bins by length and cuts every bin into chunk files. Chunks come as they fill up, the rest at the end.
 * @throws InputError for cutoffs that do not ascend, or a chunk size below 1.
 */
export function* binDocuments(
  documents: Iterable<readonly number[]>,
  { cutoffs, numPad, chunkSize }: BinningOptions,
): Generator<Chunk> {
  if (cutoffs.some((cutoff, i) => i > 0 && cutoff <= cutoffs[i - 1]!)) {
    throw new InputError(`Cutoffs ascend, but ${cutoffs.join(', ')} was given.`);
  }
  if (!(chunkSize >= 1))
    throw new InputError(`A chunk holds at least one document, but chunkSize is ${chunkSize}.`);
  const names = binNames(cutoffs);
  const open = names.map(() => [] as (readonly number[])[]);
  const written = names.map(() => 0);
  const close = (bin: number): Chunk => {
    const file = `${String(written[bin]!).padStart(10, '0')}.json`;
    const chunk = { bin: names[bin]!, file, documents: open[bin]! };
    written[bin]! += 1;
    open[bin] = [];
    return chunk;
  };
  for (const document of documents) {
    const found = cutoffs.findIndex((cutoff) => document.length <= cutoff - numPad);
    const bin = found < 0 ? cutoffs.length : found;
    open[bin]!.push(document);
    if (open[bin]!.length === chunkSize) yield close(bin);
  }
  for (const [bin, documents] of open.entries()) if (documents.length > 0) yield close(bin);
}

/** Adds a chunk to a summary. */
export function countChunk(summary: TokensSummary, { bin, file, documents }: Chunk): void {
  const tokens = documents.reduce((sum, document) => sum + document.length, 0);
  summary[bin] ??= { tokens_per_file: {}, tokens_total: 0 };
  summary[bin].tokens_per_file[file] = tokens;
  summary[bin].tokens_total += tokens;
}
