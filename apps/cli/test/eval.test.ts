import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resultsDocumentSchema } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const smoke = ['eval', '--profile', 'smoke', '--executor', 'in-process'];

describe('palimpsest eval', () => {
  it('runs the smoke profile: a table, results that fit their schema, a report with charts, nothing repeated', async () => {
    const cwd = emptyFolder();
    const { code, stdout, stderr } = await palimpsest(['eval', '--profile', 'smoke'], { cwd });
    expect(stderr).toMatch(/ 0 running, 0 failed, 0 s left\n$/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}OSAM, width 16, layers 1 +[\d.]+ ± [\d.]+ % /m);
    expect(stdout).toMatch(/^✓ kakeya +100 %/m);
    const report = /Report: (.*)$/m.exec(stdout)![1]!;
    expect(report).toBe(join('palimpsest-report', 'report.html'));
    expect(readFileSync(join(cwd, report), 'utf8')).toMatch(/<svg /);
    const json = readFileSync(join(cwd, 'palimpsest-report', 'results.json'), 'utf8');
    const { entries, failed } = resultsDocumentSchema.parse(JSON.parse(json));
    expect(failed).toEqual([]);
    const cells = entries.flatMap((entry) => entry.cells);
    expect(readdirSync(join(cwd, 'palimpsest-report', 'cells'))).toHaveLength(cells.length);
    const again = await palimpsest(['eval', '--profile', 'smoke', '--json', '--quiet'], { cwd });
    expect(JSON.parse(again.stdout)).toMatchObject({ profile: 'smoke', total: cells.length, computed: 0 });
  }, 240_000);

  it('is decided by the seeds, and asks language tasks for the given text', async () => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'my.txt'), 'the cat sat on the mat. '.repeat(200));
    const run = async (...flags: string[]) => {
      const args = [...smoke, '--task', 'language', '--model', 'ngram', '--json', '--quiet', ...flags];
      const { stdout } = await palimpsest(args, { cwd });
      return JSON.parse(stdout).cells;
    };
    const [own] = await run('--text', 'my.txt', '--seeds', '4,5');
    expect(own.spec).toMatchObject({ taskOptions: { text: 'my.txt' }, seed: 4 });
    const [stories] = await run();
    const bits = (cell: { outcome: { metrics: { name: string; value: number }[] } }) =>
      cell.outcome.metrics.find(({ name }) => name === 'bits per character')!.value;
    // A text that repeats itself is far easier to tell in advance.
    expect(bits(own)).toBeLessThan(0.6 * bits(stories));
    expect(readdirSync(join(cwd, 'palimpsest-report', 'cells'))).toHaveLength(3);
  });

  it("plans: what there is to compute and how long it will take, a text of one's own besides; nothing is written", async () => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'my.txt'), 'the cat sat on the mat. '.repeat(200));
    const planned = async (...flags: string[]) => {
      const { code, stdout } = await palimpsest(['eval', '--profile', 'standard', '--plan', ...flags], {
        cwd,
      });
      expect(code).toBe(0);
      return stdout;
    };
    const without = JSON.parse(await planned('--json'));
    const with_ = JSON.parse(await planned('--json', '--text', 'my.txt'));
    expect(without.seconds).toBeGreaterThan(0);
    expect(with_.seconds).toBeGreaterThan(without.seconds);
    expect(with_.total).toBeGreaterThan(without.total);
    expect(await planned('--only', 'mqar/gru', '--workers', '2')).toMatch(
      /^mqar +9 cells +\d+ \w+\n\n9 cells, 0 of them finished; at most about \d+ .* with 2 side by side/,
    );
    expect(readdirSync(cwd)).toEqual(['my.txt']);
  });

  it.each([
    [
      ['--profile', 'quik'],
      "There is no profile 'quik' (did you mean 'quick'?); there are smoke, quick, standard, full,",
    ],
    [['--task', 'mqra'], "There is no task 'mqra' (did you mean 'mqar'?); there are parity, mqar,"],
    [['--model', 'rms'], "There is no model 'rms' (did you mean 'rsm'?); there are osam,"],
    [
      ['--profile', 'smoke', '--only', 'telepathy'],
      "The profile 'smoke' has no such cell; it has parity, mqar/osam,",
    ],
    [['--quick', '--profile', 'full'], '--quick and --profile full cannot both be meant; give one.'],
  ])('refuses %j in one sentence, with code 2', async (flags, sentence) => {
    const { code, stdout, stderr } = await palimpsest(['eval', ...flags]);
    expect(stderr.startsWith(`error: ${sentence}`), stderr).toBe(true);
    expect(stderr.split('\n')).toHaveLength(2);
    expect([code, stdout]).toEqual([2, '']);
  });
});
