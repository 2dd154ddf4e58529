import { canonicalJson } from './canonical-json.js';
import type { CellResult } from './cell.js';
import { ResultStore } from './result-store.js';

/** Two finished results of one cell that measured different things, and which one stays. */
export interface MergeConflict {
  readonly key: string;
  readonly kept: CellResult;
  readonly dropped: CellResult;
}

export interface MergeSummary {
  /** Cells that the target has now. */
  readonly total: number;
  /** Results that came into the target, or took the place of another one. */
  readonly written: number;
  /** Results that were there already, or that said the same. */
  readonly same: number;
  readonly conflicts: readonly MergeConflict[];
}

/**
 * Brings the results of several folders into one. Of two results of a cell the same one stays in whatever order folders
 * are merged: a finished one before a failed one, then the earlier one, then the one whose JSON comes first.
 * @throws InputError for a folder that is no result folder of this version; nothing is written then.
 */
export async function mergeResults(sources: readonly string[], target: string): Promise<MergeSummary> {
  const incoming: CellResult[] = [];
  for (const source of sources) {
    for (const result of await (await ResultStore.openExisting(source)).list()) incoming.push(result);
  }
  const store = await ResultStore.open(target);
  const merged = new Map((await store.list()).map((result) => [result.key, result]));
  const before = new Map(merged);
  const conflicts: MergeConflict[] = [];
  for (const result of incoming) {
    const known = merged.get(result.key);
    const kept = known === undefined ? result : preferred(known, result);
    merged.set(result.key, kept);
    if (known && disagree(known, result)) {
      conflicts.push({ key: result.key, kept, dropped: kept === known ? result : known });
    }
  }
  const changed = [...merged.values()].filter((result) => before.get(result.key) !== result);
  for (const result of changed) await store.write(result);
  return {
    total: merged.size,
    written: changed.length,
    same: incoming.length - changed.length,
    conflicts,
  };
}

function preferred(a: CellResult, b: CellResult): CellResult {
  return rank(a) <= rank(b) ? a : b;
}

/** Text whose order is the order of preference. */
function rank(result: CellResult): string {
  return `${result.status === 'done' ? 0 : 1} ${result.date} ${canonicalJson(result)}`;
}

/** Whether two finished results measured different things; when and how long is no difference. */
function disagree(a: CellResult, b: CellResult): boolean {
  return (
    a.status === 'done' &&
    b.status === 'done' &&
    canonicalJson(a.outcome ?? null) !== canonicalJson(b.outcome ?? null)
  );
}
