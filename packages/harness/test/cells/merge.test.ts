import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CellResult } from '../../src/cells/cell.js';
import { mergeResults } from '../../src/cells/merge.js';
import { ResultStore } from '../../src/cells/result-store.js';
import { runCell } from '../../src/cells/run-cell.js';
import { emptyFolder, registry, toyCells, versions } from './support/cells.js';

async function folderOf(results: readonly CellResult[]): Promise<string> {
  const store = await ResultStore.open(emptyFolder());
  for (const result of results) await store.write(result);
  return store.folder;
}

async function resultsOf(count: number): Promise<CellResult[]> {
  const results: CellResult[] = [];
  for (const spec of toyCells(count)) results.push(await runCell(registry, spec, { versions }));
  return results;
}

const list = async (folder: string) => (await ResultStore.openExisting(folder)).list();

describe('mergeResults', () => {
  it('brings folders together, and does nothing when done again', async () => {
    const [a, b, c] = (await resultsOf(3)) as [CellResult, CellResult, CellResult];
    const sources = [await folderOf([a, b]), await folderOf([b, c])];
    const target = join(emptyFolder(), 'merged');
    expect(await mergeResults(sources, target)).toEqual({ total: 3, written: 3, same: 1, conflicts: [] });
    const merged = await list(target);
    expect(merged).toEqual([a, b, c].sort((x, y) => (x.key < y.key ? -1 : 1)));
    expect(await mergeResults([...sources, target], target)).toEqual({
      total: 3,
      written: 0,
      same: 7,
      conflicts: [],
    });
    expect(await list(target)).toEqual(merged);
  });

  it('keeps the same result in whatever order folders come, and reports those that measured different things', async () => {
    const [first] = (await resultsOf(1)) as [CellResult];
    const earlier = { ...first, date: '2026-01-01T00:00:00.000Z', seconds: 3 };
    const other = {
      ...first,
      date: '2026-01-02T00:00:00.000Z',
      outcome: { ...first.outcome!, metrics: [{ ...first.outcome!.metrics[0]!, value: 99 }] },
    };
    const { outcome: _, ...rest } = first;
    const failed: CellResult = { ...rest, status: 'failed', error: 'x', date: '2025-01-01T00:00:00.000Z' };
    const folders = [await folderOf([earlier]), await folderOf([other]), await folderOf([failed])];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const target = emptyFolder();
      const { conflicts, total } = await mergeResults(
        order.map((index) => folders[index]!),
        target,
      );
      expect(total).toBe(1);
      expect(await list(target)).toEqual([earlier]);
      expect(conflicts).toEqual([{ key: first.key, kept: earlier, dropped: other }]);
    }
  });

  it('takes two workers that finished the same cell for one', async () => {
    const [first] = (await resultsOf(1)) as [CellResult];
    const again = { ...(await resultsOf(1))[0]!, date: '2030-01-01T00:00:00.000Z' };
    const target = emptyFolder();
    const summary = await mergeResults([await folderOf([first]), await folderOf([again])], target);
    expect(summary).toEqual({ total: 1, written: 1, same: 1, conflicts: [] });
    expect(await list(target)).toEqual([first]);
  });

  it('writes nothing when a source is no result folder', async () => {
    const foreign = emptyFolder();
    mkdirSync(join(foreign, 'cells'));
    writeFileSync(join(foreign, 'cells', 'a.txt'), '');
    const target = join(emptyFolder(), 'target');
    await expect(mergeResults([await folderOf(await resultsOf(1)), foreign], target)).rejects.toThrow(
      "a.txt' is no result of a cell",
    );
    await expect(list(target)).rejects.toThrow('There is no result folder');
  });
});
