import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resultsSchema } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

describe('palimpsest eval', () => {
  it('ends in a table, a results file that fits its schema, and a report with the chart inside', async () => {
    const cwd = emptyFolder();
    const { code, stdout, stderr } = await palimpsest(['eval', '--quick', '--only', 'kernel-error'], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain('✓ TensorSketch: kernel error against sketch length');
    expect(stdout).toMatch(/✓ +sketch\/kernel-error +error at sketch length 64 +0\.\d+ RMS/);
    const report = /^Report: (.*)$/m.exec(stdout)![1]!;
    expect(report).toBe(join(cwd, 'palimpsest-report', 'report.html'));
    expect(readFileSync(report, 'utf8').match(/<svg /g)).toHaveLength(1);
    const results = resultsSchema.parse(JSON.parse(readFileSync(join(report, '..', 'results.json'), 'utf8')));
    expect(results.evaluations.map(({ name, passed }) => [name, passed])).toEqual([
      ['sketch/kernel-error', true],
    ]);
    expect(results.provenance.seed).toBe(1337);
  });

  it('gives the results as one JSON document, decided by the seed', async () => {
    const run = async (seed: string) => {
      const flags = ['--quick', '--only', 'kernel-error', '--quiet', '--json', '--seed', seed];
      const { stdout, stderr } = await palimpsest(['eval', ...flags]);
      expect(stderr).toBe('');
      return JSON.parse(stdout).evaluations[0].metrics;
    };
    const first = await run('1');
    expect(await run('1')).toEqual(first);
    expect(await run('2')).not.toEqual(first);
  });

  it('names the evaluations when none is meant, with code 2', async () => {
    const { code, stderr } = await palimpsest(['eval', '--quick', '--only', 'telepathy']);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: No evaluation has 'telepathy' in its name; there are osam\/recall, osam\/text, /,
    );
  });
});
