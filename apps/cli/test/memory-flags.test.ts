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
