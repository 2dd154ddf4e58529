import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

describe('palimpsest ls', () => {
  it('lists what can be evaluated', async () => {
    const { code, stdout } = await palimpsest(['ls']);
    expect(code).toBe(0);
    for (const row of [
      /^mqar +recall +trained +Multi-query/m,
      /^osam +trained +One-Shot/m,
      /^cpu +yes +TensorFlow/m,
    ])
      expect(stdout).toMatch(row);
    const models = JSON.parse((await palimpsest(['ls', 'models', '--json'])).stdout);
    expect(models).toContainEqual(expect.objectContaining({ name: 'ngram', kind: 'counted' }));
  });

  it('lists the cells of a result folder', async () => {
    const cwd = emptyFolder();
    const grid = { tasks: [{ name: 'sketch-error', options: { trials: 5 } }], engine: 'cpu' };
    writeFileSync(join(cwd, 'grid.json'), JSON.stringify(grid));
    await palimpsest(['sweep', 'grid.json', '--out', 'results', '--executor', 'in-process'], { cwd });
    const { stdout } = await palimpsest(['ls', 'results'], { cwd });
    expect(stdout).toMatch(/✓ +sketch-error, trials 5, seed 1 +error +0\.\d+ RMS/);
    expect(JSON.parse((await palimpsest(['ls', 'results', '--json'], { cwd })).stdout)).toHaveLength(1);
  });

  it('says in one sentence what is wrong with a folder, with code 2', async () => {
    const cwd = emptyFolder();
    mkdirSync(join(cwd, 'results', 'cells'), { recursive: true });
    const file = join(cwd, 'results', 'cells', `${'0'.repeat(64)}.json`);
    writeFileSync(file, '{"format": "palimpsest-cell", "version": 7}');
    expect(await palimpsest(['ls', 'results'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'has version 7 of the result schema, and this program reads version 1;',
      ),
    });
    expect(await palimpsest(['ls', 'modles'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^error: There is no list 'modles' \(did you mean 'models'\?\), nor a folder/,
      ),
    });
  });
});

describe('palimpsest describe', () => {
  it('explains a task and a model', async () => {
    const task = await palimpsest(['describe', 'mqar']);
    expect(task.code).toBe(0);
    expect(task.stdout).toMatch(/^task mqar, Multi-query associative recall\n/);
    expect(task.stdout).toMatch(/^chance: 3\.125$/m);
    expect(task.stdout).toMatch(/^vocabSize +64 +token ids/m);
    const model = JSON.parse((await palimpsest(['describe', 'osam', '--json'])).stdout);
    expect(model).toMatchObject({ kind: 'model', name: 'osam', trained: true, learningRate: 0.003 });
  });

  it('gives the nearest name for one that does not exist, with code 2', async () => {
    expect(await palimpsest(['describe', 'transformr'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: There is no task, model or profile 'transformr' \(did you mean 'transformer'\?\); there are parity, mqar, .*\.\n$/,
      ),
    });
  });
});
