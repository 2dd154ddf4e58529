import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const averages = fileURLToPath(new URL('../../../examples/moving-average.mjs', import.meta.url));
const ledger = fileURLToPath(new URL('./support/plugins/ledger.mjs', import.meta.url));

/** A command that must succeed; its standard output as JSON. */
async function result(args: readonly string[], cwd = emptyFolder()) {
  const { code, stdout, stderr } = await palimpsest([...args, '--json'], { cwd });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('--plugin: a model from outside', () => {
  it('is trained, gone on with, described and spoken with', async () => {
    const run = join(emptyFolder(), 'run');
    const train = ['train', 'moving-average', '--plugin', averages, '--load'];
    const first = ['train', 'moving-average', '--plugin', averages, '--width', '8', '--out', run];
    expect(await result([...first, '--steps', '3'])).toMatchObject({ step: 3 });
    expect(await result([...train, run, '--steps', '5'])).toMatchObject({ step: 5 });
    const description = await result(['info', run, '--plugin', averages]);
    expect(description).toMatchObject({
      model: 'moving-average',
      stateBytes: 4 * 8 * 4,
      config: { width: 8 },
    });
    const reply = await result([
      'generate',
      run,
      '--prompt',
      'hello',
      '--max-new-tokens',
      '5',
      '--plugin',
      averages,
    ]);
    expect(reply).toMatchObject({ tokens: 5, stateBytes: 4 * 8 * 4 });
    const talk = await palimpsest(['chat', run, `--plugin=${averages}`, '--max-new-tokens', '3'], {
      input: 'hello\n',
    });
    expect(talk.code).toBe(0);
    const without = await palimpsest(['info', run]);
    expect(without.code).toBe(2);
    expect(without.stderr).toMatch(/^error: .*'moving-average'.*--plugin.*\n$/);
  });

  it('is listed, explained, swept in worker processes, evaluated and reported on', async () => {
    const cwd = emptyFolder();
    const plugin = ['--plugin', averages];
    expect(await result(['ls', 'models', ...plugin])).toContainEqual(
      expect.objectContaining({ name: 'moving-average', mechanism: 'moving-average' }),
    );
    expect(await result(['describe', 'moving-average', ...plugin])).toMatchObject({
      kind: 'model',
      trained: true,
    });
    const grid = {
      tasks: [{ name: 'mqar', options: { steps: 2, batch: 4, examples: 4 } }],
      models: ['moving-average'],
      engine: 'cpu',
    };
    writeFileSync(join(cwd, 'grid.json'), JSON.stringify(grid));
    const sweep = await result(['sweep', 'grid.json', '--workers', '1', '--out', 'cells', ...plugin], cwd);
    expect(sweep).toMatchObject({ done: 1, failed: 0 });
    const smoke = [
      'eval',
      '--profile',
      'smoke',
      '--only',
      'mqar/moving-average',
      '--engine',
      'cpu',
      '--out',
      'out',
    ];
    expect(await result([...smoke, ...plugin], cwd)).toMatchObject({ done: 1, failed: 0 });
    await result(['report', 'cells', '--out', 'out', ...plugin], cwd);
    expect(readFileSync(join(cwd, 'out', 'report.html'), 'utf8')).toContain('Moving averages');
  });

  it('has cells of its own when its module changes', async () => {
    const cwd = emptyFolder();
    const keys = async () => {
      const plan = await result(
        ['sweep', '--tasks', 'mqar', '--models', 'moving-average,osam', '--dry-run', '--plugin', 'm.mjs'],
        cwd,
      );
      return plan.cells.map(({ key }: { key: string }) => key);
    };
    const text = readFileSync(averages, 'utf8');
    writeFileSync(join(cwd, 'm.mjs'), text);
    const before = await keys();
    writeFileSync(join(cwd, 'm.mjs'), `${text}\n// another version\n`);
    const after = await keys();
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).toBe(before[1]);
  });
});

describe('--plugin: a mechanism that is no model of the usual kind', () => {
  it('brings a trainer, a task, golden cases and a command, each with flags of its own', async () => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'options.json'), JSON.stringify({ plugin: ledger, out: 'run', rounds: 4 }));
    expect(await result(['train', 'ledger', '--config', 'options.json'], cwd)).toMatchObject({ step: 4 });
    expect(await result(['ledger', 'add', '2', '3', '--times', '10', '--plugin', ledger])).toEqual({
      sum: 50,
    });
    const cells = await result(
      [
        'eval',
        '--profile',
        'ledger',
        '--engine',
        'cpu',
        '--task',
        'ledger-sum',
        '--plugin',
        ledger,
        '--plugin',
        averages,
      ],
      cwd,
    );
    expect(cells.cells[0].outcome.metrics[0]).toMatchObject({ name: 'sum', value: 7 });
    mkdirSync(join(cwd, 'golden'));
    const golden = { system: 'ledger', kind: 'sum', entries: [1, 2, 4], expected: { sum: 7 } };
    writeFileSync(join(cwd, 'golden', 'case.json'), JSON.stringify(golden));
    const parity = [
      'parity',
      '--golden',
      'golden',
      '--system',
      'ledger',
      '--engine',
      'cpu',
      '--plugin',
      ledger,
    ];
    expect(await result(parity, cwd)).toMatchObject({ passed: 1, failed: 0 });
    const help = await palimpsest(['--help', '--plugin', ledger]);
    expect(help.stdout).toMatch(/^ {2}ledger /m);
  });
});

describe('--plugin: a bad one', () => {
  const cases: Record<string, readonly [string, RegExp]> = {
    'that fails': ["throw new Error('boom');", /cannot be loaded: Error: boom\.$/],
    'that is no JavaScript': ['export const = 1;', /cannot be loaded: SyntaxError: /],
    'without a card': [
      'export const something = 1;',
      /exports no 'mechanism' but something; export the card/,
    ],
    'whose card is nothing': [
      'export const mechanism = 7;',
      /The card of the plugin '.*' is not right: .*object/,
    ],
    'whose card lacks a member': [
      "export const mechanism = { name: 'a', title: 'A', description: 'B.', memory: 'huge' };",
      /is not right: memory: .*"fixed"/,
    ],
    'whose name is taken': [
      "export const mechanism = { name: 'osam', title: 'A', description: 'B.', memory: 'none' };",
      /brings a mechanism 'osam', which 'osam' brings already/,
    ],
    'whose options are no schema': [
      "export const mechanism = { name: 'a', title: 'A', description: 'B.', memory: 'none', tasks: [{ name: 't', title: 'T', description: 'D.', family: 'recall', options: {}, contenders: 'none', headline: { metric: 'm', unit: '', higherIsBetter: true }, run() {} }] };",
      /is not right: tasks\.0\.options: must be made by z\.object/,
    ],
  };

  it.each(Object.keys(cases))('%s is refused in one sentence with code 2', async (name) => {
    const [text, sentence] = cases[name]!;
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'bad.mjs'), text);
    const { code, stdout, stderr } = await palimpsest(['ls', '--plugin', './bad.mjs'], { cwd });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr.trimEnd()).toMatch(/^error: /);
    expect(stderr.trimEnd()).toMatch(sentence);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('that is not there, is a folder, or has no path', async () => {
    const cwd = emptyFolder();
    const sentences = [
      [['--plugin', 'none.mjs'], /The plugin '.*none\.mjs' cannot be read: there is no such file/],
      [['--plugin', '.'], /The plugin '.*' cannot be read: .*is a folder/],
      [['--plugin'], /--plugin needs the path of a JavaScript module/],
    ] as const;
    for (const [flags, sentence] of sentences) {
      const { code, stderr } = await palimpsest(['ls', ...flags], { cwd });
      expect(stderr).toMatch(sentence);
      expect(code).toBe(2);
    }
    expect(readdirSync(cwd)).toEqual([]);
  });
});
