import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resultsDocumentSchema } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

describe('palimpsest report', () => {
  it('writes a report of cells that were computed before, elsewhere if asked to', async () => {
    const cwd = emptyFolder();
    const cells = ['--profile', 'smoke', '--only', 'sketch', '--executor', 'in-process', '--quiet'];
    expect((await palimpsest(['eval', ...cells], { cwd })).code).toBe(0);
    const flags = ['--out', 'elsewhere', '--title', 'Only sketches', '--json'];
    const { code, stdout } = await palimpsest(['report', 'palimpsest-report', ...flags], { cwd });
    expect(code).toBe(0);
    const { report, ...document } = JSON.parse(stdout);
    expect(report).toBe(join('elsewhere', 'report.html'));
    expect(resultsDocumentSchema.parse(document).title).toBe('Only sketches');
    expect(readdirSync(join(cwd, 'elsewhere')).sort()).toEqual([
      'data',
      'report.html',
      'results.csv',
      'results.json',
      'results.md',
      'summary.md',
    ]);
    // Without flags, the report is the one that the evaluation wrote.
    const page = () => readFileSync(join(cwd, 'palimpsest-report', 'report.html'), 'utf8');
    const before = page();
    expect(before).toContain(
      'palimpsest eval --profile smoke --only sketch --out palimpsest-report\npalimpsest report palimpsest-report',
    );
    expect((await palimpsest(['report', 'palimpsest-report'], { cwd })).code).toBe(0);
    expect(page()).toBe(before);
  });

  it('refuses a folder that is missing, foreign, empty, or of another version, in one sentence with code 2', async () => {
    const cwd = emptyFolder();
    mkdirSync(join(cwd, 'foreign'));
    writeFileSync(join(cwd, 'foreign', 'notes.txt'), 'mine');
    mkdirSync(join(cwd, 'empty', 'cells'), { recursive: true });
    mkdirSync(join(cwd, 'told', 'cells'), { recursive: true });
    writeFileSync(join(cwd, 'told', 'evaluation.json'), '{"format":"something else"}');
    mkdirSync(join(cwd, 'newer', 'cells'), { recursive: true });
    const key = 'a'.repeat(64);
    writeFileSync(join(cwd, 'newer', 'cells', `${key}.json`), '{"format":"palimpsest-cell","version":9}');
    const deep = `{"format":"palimpsest-cell","spec":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    mkdirSync(join(cwd, 'deep', 'cells'), { recursive: true });
    writeFileSync(join(cwd, 'deep', 'cells', `${key}.json`), deep);
    const sentences: Record<string, RegExp> = {
      missing: /^error: There is no result folder 'missing'/,
      foreign: /^error: The folder 'foreign' holds other things than results of cells/,
      told: /^error: '.*evaluation.json' does not say what the folder was computed with/,
      empty: /^error: There is no result in 'empty' to report on/,
      deep: /^error: The result '.*' is nested more than 100 levels deep/,
      newer: /version 9 of the result schema, and this program reads version 1/,
    };
    for (const [folder, sentence] of Object.entries(sentences)) {
      const { code, stderr } = await palimpsest(['report', folder], { cwd });
      expect(stderr).toMatch(sentence);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(code).toBe(2);
    }
  });
});
