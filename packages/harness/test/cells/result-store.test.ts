import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CellResult } from '../../src/cells/cell.js';
import { ResultStore } from '../../src/cells/result-store.js';
import { runCell } from '../../src/cells/run-cell.js';
import { emptyFolder, registry, toyCells, versions } from './support/cells.js';

async function toyResult(seed = 0): Promise<CellResult> {
  return runCell(registry, toyCells(seed + 1)[seed]!, { versions });
}

describe('ResultStore', () => {
  it('gives back what was written, by key and in a list', async () => {
    const store = await ResultStore.open(join(emptyFolder(), 'new', 'folder'));
    const results = [await toyResult(0), await toyResult(1)];
    expect(store.has(results[0]!.key)).toBe(false);
    expect(await store.read(results[0]!.key)).toBeUndefined();
    for (const result of results) await store.write(result);
    expect(store.has(results[0]!.key)).toBe(true);
    expect(await store.read(results[0]!.key)).toEqual(results[0]);
    expect((await store.list()).map(({ key }) => key)).toEqual(results.map(({ key }) => key).sort());
    expect(readdirSync(join(store.folder, 'cells')).sort()).toEqual(
      results.map(({ key }) => `${key}.json`).sort(),
    );
  });

  it('replaces a failure by a finished cell, and never the other way round', async () => {
    const store = await ResultStore.open(emptyFolder());
    const done = await toyResult();
    const { outcome: _, ...rest } = done;
    const failed: CellResult = { ...rest, status: 'failed', error: 'It broke.' };
    await store.write(failed);
    expect((await store.read(done.key))?.status).toBe('failed');
    await store.write(done);
    await store.write(failed);
    expect(await store.read(done.key)).toEqual(done);
  });

  it('holds one whole result after many writers at once', async () => {
    const folder = emptyFolder();
    const result = await toyResult();
    const stores = await Promise.all(Array.from({ length: 8 }, () => ResultStore.open(folder)));
    await Promise.all(
      stores.flatMap((store) => [store.write(result), store.write({ ...result, seconds: 9 })]),
    );
    expect([9, result.seconds]).toContain((await stores[0]!.read(result.key))?.seconds);
    expect(readdirSync(join(folder, 'cells'))).toEqual([`${result.key}.json`]);
  });

  it('is readable after writers were killed in the middle of their writing', async () => {
    const store = await ResultStore.open(emptyFolder());
    const result = await toyResult();
    // Large enough that a kill falls into the writing of the file.
    const large = { ...result, outcome: { ...result.outcome!, notes: Array(2000).fill('x'.repeat(1000)) } };
    const program = join(emptyFolder(), 'writer.mjs');
    const dist = new URL('../../dist/index.js', import.meta.url).href;
    writeFileSync(
      program,
      `import { ResultStore } from ${JSON.stringify(dist)};
       const store = await ResultStore.open(process.argv[2]);
       const result = JSON.parse(await new Response(process.stdin).text());
       console.log('writing');
       for (let seconds = 1; ; seconds++) await store.write({ ...result, seconds });`,
    );
    const kept: number[] = [];
    for (const delay of [15, 40, 65, 90]) {
      const child = spawn(process.execPath, [program, store.folder], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.end(JSON.stringify(large));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await sleep(delay);
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
      const read = await store.list();
      for (const { outcome, seconds } of read) {
        expect(outcome!.notes).toHaveLength(2000);
        kept.push(seconds);
      }
    }
    expect(kept.length).toBeGreaterThan(0);
  });

  it('refuses folders that are something else, in one sentence', async () => {
    const foreign = emptyFolder();
    writeFileSync(join(foreign, 'thesis.doc'), '');
    await expect(ResultStore.open(foreign)).rejects.toThrow(
      `The folder '${foreign}' holds other things than results of cells; give the path of a new or empty folder, or of a result folder.`,
    );
    await expect(ResultStore.openExisting(join(foreign, 'none'))).rejects.toThrow(
      `There is no result folder '${join(foreign, 'none')}'; give the folder that an evaluation or a sweep wrote.`,
    );
    await expect(ResultStore.open(join(foreign, 'thesis.doc'))).rejects.toThrow('is a file, not a folder');
  });

  it('refuses files that are no result of this version, in one sentence', async () => {
    const store = await ResultStore.open(emptyFolder());
    const result = await toyResult();
    const path = join(store.folder, 'cells', `${result.key}.json`);
    const attempt = (content: unknown) => {
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
      return expect(store.list()).rejects;
    };
    await attempt('{"format": "palim').toThrow(/^The result '.*' is not JSON: .*\.$/);
    await attempt({ name: 'x' }).toThrow('is no result of a cell; remove it, or give another result folder.');
    await attempt({ ...result, version: 2 }).toThrow(
      'has version 2 of the result schema, and this program reads version 1; give another result folder.',
    );
    await attempt({ ...result, seconds: 'long' }).toThrow('does not fit the result schema (seconds: ');
    await attempt({ ...result, key: 'f'.repeat(64) }).toThrow('holds the result of another cell');
    mkdirSync(join(store.folder, 'cells', 'notes'));
    await expect(store.keys()).rejects.toThrow("notes' is no result of a cell; move it elsewhere");
  });

  it('is not disturbed by what a killed writer left behind', async () => {
    const store = await ResultStore.open(emptyFolder());
    const result = await toyResult();
    await store.write(result);
    const left = `.${result.key}.00000000-0000-4000-8000-000000000000.tmp`;
    writeFileSync(
      join(store.folder, 'cells', left),
      readFileSync(join(store.folder, 'cells', `${result.key}.json`)).subarray(0, 50),
    );
    expect(await store.list()).toEqual([result]);
  });
});
