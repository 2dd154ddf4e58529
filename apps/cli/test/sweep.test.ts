import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const quickTask = { name: 'sketch-error', options: { sketchDims: [64, 128], trials: 5 } };

/** A folder with a grid of cells that take no time. */
function withGrid(grid: object = {}): string {
  const cwd = emptyFolder();
  const content = { tasks: [quickTask], seeds: [1, 2, 3], engine: 'cpu', ...grid };
  writeFileSync(join(cwd, 'sweep.json'), JSON.stringify(content));
  return cwd;
}

const cellFiles = (...path: string[]) => readdirSync(join(...path, 'cells'));

describe('palimpsest sweep', () => {
  it('computes a grid with progress, ends in a table, and repeats nothing the next time', async () => {
    const cwd = withGrid();
    const first = await palimpsest(['sweep', 'sweep.json'], { cwd });
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(/^3 cells to compute\n/);
    expect(first.stderr).toMatch(
      /✓ sketch-error, sketchDims \[64,128\], trials 5, seed \d \(\d+\.\d s\); 3 of 3 done, 0 running, 0 failed, 0 s left\n$/,
    );
    expect(first.stdout).toMatch(/✓ +sketch-error, .*, seed 2 +error +0\.\d+ RMS +\d+\.\d s +cpu\n/);
    expect(first.stdout).toContain('3 of 3 cells done, 0 failed; folder sweep-results\n');
    const second = await palimpsest(['sweep', 'sweep.json', '--seeds', '2,3,4', '--json', '--quiet'], {
      cwd,
    });
    expect(second.stderr).toBe('');
    const { cells, ...counts } = JSON.parse(second.stdout);
    expect(counts).toEqual({
      folder: 'sweep-results',
      total: 3,
      done: 3,
      failed: 0,
      computed: 1,
      interrupted: false,
    });
    expect(cells.map(({ spec }: { spec: { seed: number } }) => spec.seed)).toEqual([2, 3, 4]);
    expect(cellFiles(cwd, 'sweep-results')).toHaveLength(4);
  });

  it('is done in parts whose results are merged', async () => {
    const cwd = withGrid({ seeds: [1, 2, 3, 4] });
    for (const part of ['1/2', '2/2']) {
      const out = `part-${part[0]}`;
      const { code } = await palimpsest(['sweep', 'sweep.json', '--shard', part, '--out', out, '--quiet'], {
        cwd,
      });
      expect(code).toBe(0);
    }
    const parts = [...cellFiles(cwd, 'part-1'), ...cellFiles(cwd, 'part-2')];
    expect(new Set(parts).size).toBe(4);
    const merge = () => palimpsest(['sweep', 'merge', 'part-1', 'part-2', '--out', 'whole'], { cwd });
    expect(await merge()).toMatchObject({
      code: 0,
      stdout: '4 cells in whole: 4 new, 0 known, 0 conflicts\n',
    });
    expect(await merge()).toMatchObject({
      code: 0,
      stdout: '4 cells in whole: 0 new, 4 known, 0 conflicts\n',
    });
    expect(cellFiles(cwd, 'whole').sort()).toEqual(parts.sort());
    const whole = await palimpsest(['sweep', 'sweep.json', '--out', 'whole', '--json'], { cwd });
    expect(JSON.parse(whole.stdout)).toMatchObject({ total: 4, computed: 0 });
  });

  it('only lists the cells when that is asked for, and leaves no folder behind', async () => {
    const cwd = withGrid();
    const { code, stdout, stderr } = await palimpsest(['sweep', 'sweep.json', '--dry-run'], { cwd });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^· sketch-error, .*, seed 1\n· .*\n· .*\n\n3 cells, 0 of them finished\n$/);
    expect(readdirSync(cwd)).toEqual(['sweep.json']);
  });

  it('reports a cell that fails, with code 1, and does the rest', async () => {
    const cwd = withGrid({
      tasks: [{ name: 'parity', options: { system: 'nobody' } }, quickTask],
      seeds: [1],
    });
    const { code, stdout, stderr } = await palimpsest(['sweep', 'sweep.json'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/✗ parity, system nobody, seed 1 \(\d+\.\d s\): .*nobody/);
    expect(stdout).toContain('1 of 2 cells done, 1 failed');
  });

  it('saves what is finished when Ctrl-C ends it, and goes on from there', async () => {
    const seeds = Array.from({ length: 30 }, (_, seed) => seed);
    const cwd = withGrid({ seeds });
    const { code, stdout } = await palimpsest(['sweep', 'sweep.json', '--workers', '1', '--json'], {
      cwd,
      onStart: (child) => {
        let sent = false;
        child.stderr.on('data', (text: string) => {
          if (sent || !text.includes('✓')) return;
          sent = true;
          child.kill('SIGINT');
        });
      },
    });
    expect(code).toBe(130);
    const { done, interrupted, cells } = JSON.parse(stdout);
    expect(interrupted).toBe(true);
    expect(done).toBeGreaterThanOrEqual(1);
    expect(done).toBeLessThan(30);
    expect(cellFiles(cwd, 'sweep-results').sort()).toEqual(
      cells.map(({ key }: { key: string }) => `${key}.json`).sort(),
    );
    const rest = ['--executor', 'in-process', '--json', '--quiet'];
    const second = await palimpsest(['sweep', 'sweep.json', ...rest], { cwd });
    expect(JSON.parse(second.stdout)).toMatchObject({ total: 30, done: 30, computed: 30 - done });
  });

  it.each([
    [['--tasks', 'mqra'], "There is no task 'mqra' (did you mean 'mqar'?); there are parity, mqar, "],
    [
      ['--tasks', 'mqar', '--models', 'ossam'],
      "There is no model 'ossam' (did you mean 'osam'?); there are osam, ",
    ],
    [
      ['sweep.json', '--shard', '3/2'],
      "A shard is written i/n with i from 1 to n, as 2/8, but '3/2' was given.",
    ],
    [['sweep.json', '--out', 'other'], "The folder 'other' holds other things than results of cells; give "],
    [['sweep.json', '--executor', 'bullmq'], 'A queue needs a server; give it as --redis redis://host:6379.'],
    [['none.json'], "The grid 'none.json' cannot be read: "],
    [[], 'A sweep needs tasks: give a grid file or --tasks; `palimpsest ls tasks` lists them.'],
    [['merge', 'other'], "The folder 'other' holds other things than results of cells; give "],
    [['worker'], 'A queue needs a server; give it as --redis redis://host:6379.'],
  ])('refuses %j in one sentence, with code 2', async (args, sentence) => {
    const cwd = withGrid();
    mkdirSync(join(cwd, 'other'));
    writeFileSync(join(cwd, 'other', 'thesis.txt'), '');
    const { code, stdout, stderr } = await palimpsest(['sweep', ...args], { cwd });
    expect(stderr.startsWith(`error: ${sentence}`), stderr).toBe(true);
    expect(stderr.split('\n')).toHaveLength(2);
    expect([code, stdout]).toEqual([2, '']);
  });
});
