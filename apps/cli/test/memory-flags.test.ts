import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const TRAIN = ['viability', 'train-adapters', '--backbone', 'session', '--threads', '1'];

describe('adapters over a model of the user', () => {
  it('take the forms, the lead-in and the layer of the flags into the gate', async () => {
    const out = join(emptyFolder(), 'adapters');
    const trained = await palimpsest([
      ...TRAIN,
      ...['--sessions', '2', '--steps', '1', '--kv-dtype', 'f16', '--out', out],
      ...['--lead-in', 'Answer.\\n', '--memory-form', 'Say: {text}\\n', '--query-form', 'Say: {text}\\nBot:'],
      ...['--pool-layer', '1', '--centroid-weights', 'idf', '--top-k', '2', '--p-min', '0.1'],
    ]);
    expect(trained.stderr + trained.stdout).toContain(`adapters in ${out}`);
    expect(trained.code).toBe(0);
    const { config } = JSON.parse(readFileSync(join(out, 'memory.json'), 'utf8'));
    expect(config).toMatchObject({
      leadIn: 'Answer.\n',
      memoryForm: 'Say: {text}\n',
      queryForm: 'Say: {text}\nBot:',
      poolLayer: 1,
      centroidWeights: 'idf',
      fusedTopK: 2,
      pMin: 0.1,
      kvDtype: 'f16',
    });
    const asked = await palimpsest([
      ...['viability', 'run', '--backbone', 'session', '--adapters', out, '--threads', '1'],
      ...[
        '--n-facts',
        '4',
        '--sessions',
        '1',
        '--questions',
        '2',
        '--modes',
        'A_ams_prefix,Z_no_memory',
        '--json',
      ],
    ]);
    expect(asked.code).toBe(1);
    expect(asked.stdout).toContain('A_ams_prefix');
  }, 120_000);

  it.each([
    [['--pool-layer', 'last'], '--pool-layer is the number of a layer, or none'],
    [['--kv-tokens', 'some'], '--kv-tokens is text, all, or a number'],
    [['--kv-dtype', 'f16', '--kv-bytes', '6'], '--kv-bytes is for Kakeya records'],
    [['--memory-form', 'nothing'], "'memoryForm' of a memory must hold {text} once"],
  ])('refuse %j', async (flags, sentence) => {
    const { code, stderr } = await palimpsest([...TRAIN, ...flags]);
    expect(stderr).toContain(sentence);
    expect(code).toBe(2);
  });
});

describe('questions in the shape of LongMemEval', () => {
  const cwd = emptyFolder();

  it('are written, told to the small model, and asked', async () => {
    const written = await palimpsest(
      [
        'viability',
        'write-long-mem-eval',
        '--out',
        'talks.json',
        '--entries',
        '4',
        '--facts',
        '6',
        '--talks',
        '2',
      ],
      { cwd },
    );
    expect(written.stdout).toContain('4 questions in talks.json');
    const asked = await palimpsest(
      ['viability', 'long-mem-eval', '--file', 'talks.json', '--lead', '', '--out', 'out', '--json'],
      { cwd },
    );
    expect(asked.code).toBe(0);
    const report = JSON.parse(asked.stdout);
    expect(report).toEqual(JSON.parse(readFileSync(join(cwd, 'out', 'report.json'), 'utf8')));
    expect(report.overall.count).toBe(3);
    expect(report.byType['single-session-user'].keywordF1).toBe(1);
    const words = await palimpsest(['viability', 'long-mem-eval', '--file', 'talks.json', '--words'], {
      cwd,
    });
    expect(words.stdout).toContain('answer found');
  }, 120_000);

  it.each([
    [['--words', '--lead', 'x'], 'With --words no language model reads anything; leave out --lead'],
    [['--k', '3'], '--k is for --words'],
    [['--pack', 'large'], '--pack'],
    [['--model', 'nowhere'], "Give the adapters over 'nowhere' as --adapters"],
  ])('refuse %j', async (flags, sentence) => {
    const file = ['--file', 'talks.json'];
    const { code, stderr } = await palimpsest(['viability', 'long-mem-eval', ...file, ...flags], { cwd });
    expect(stderr).toContain(sentence);
    expect(code).toBe(2);
  });
});
