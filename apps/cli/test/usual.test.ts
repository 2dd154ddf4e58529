import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { standardRegistry } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { tiny, trainedRun } from './support/trained.js';

const withText = () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'my.txt'), 'It was the best of times, it was the worst of times. '.repeat(80));
  return cwd;
};

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

describe('train without a preset', () => {
  it('takes the usual one for the text, says so, and stores it', async () => {
    const cwd = withText();
    const flags = ['--text-path', 'my.txt', '--steps', '1', '--sample-every', '0', '--out', 'run'];
    const { code, stderr } = await palimpsest(['train', 'osam', ...flags], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain('preset text, the usual one for this text: a stack for text');
    const { model, notes } = json(cwd, 'run', 'latest', 'config.json');
    expect(model.config).toMatchObject({ layers: 4, featurePath: false });
    expect(notes).toMatchObject({ preset: 'text', data: { batchSize: 32, seqLen: 64 } });
  });

  it('takes the first one when the model is described by flags', async () => {
    const { model, notes } = json(await trainedRun('--steps', '1'), 'latest', 'config.json');
    expect(model.config).toMatchObject({ layers: 1, featurePath: true });
    expect(notes.preset).toBeNull();
  });

  it.each(['osam', 'rsm', 'om-arc', 'transformer'])(
    '%s has a preset for every text, short ones read less',
    (name) => {
      const { usual, presets } = standardRegistry.architecture(name);
      const [short, long] = [usual!(10_000), usual!(1_000_000)];
      expect(Object.keys(presets)).toContain(short.preset);
      expect(short.recipe!.steps!).toBeLessThan(long.recipe!.steps! / 4);
    },
  );
});

describe('train --minutes', () => {
  it('plans as many steps as fit, says so, and ends in time', async () => {
    const folder = join(emptyFolder(), 'run');
    const start = performance.now();
    const flags = ['--minutes', '0.1', '--sample-every', '0', '--out', folder];
    const { code, stderr } = await palimpsest(['train', 'osam', ...tiny, ...flags]);
    expect(code).toBe(0);
    const [, steps, seconds] = /^plan: (\d+) steps of ([\d.e-]+) s in 0\.1 minutes$/m.exec(stderr)!;
    expect(Number(steps) * Number(seconds)).toBeGreaterThan(4.5);
    expect(Number(steps) * Number(seconds)).toBeLessThan(6.5);
    expect(json(folder, 'latest', 'training.json').settings.steps).toBe(Number(steps));
    expect((performance.now() - start) / 1000).toBeLessThan(60);
  });

  it('stands alone, and a run that goes on keeps its plan', async () => {
    const both = await palimpsest(['train', 'osam', ...tiny, '--minutes', '1', '--steps', '3', '--quiet']);
    expect(both).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Give --steps or --minutes, not both'),
    });
    const run = await trainedRun('--steps', '1');
    const resumed = await palimpsest(['train', 'osam', '--load', run, '--minutes', '1', '--quiet']);
    expect(resumed).toMatchObject({ code: 2, stderr: expect.stringContaining('keeps its plan') });
  });
});

describe('the help of train', () => {
  it.each(
    ['osam', 'rsm', 'om-arc', 'transformer', 'namm'].filter((name) =>
      standardRegistry.architectures.some((own) => own.name === name),
    ),
  )('fits three screens for %s, says what presets are for, and where the rest is', async (name) => {
    const { code, stdout } = await palimpsest(['train', name, '--help']);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(72);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toContain('A preset is a model with the training that suits it');
    for (const preset of Object.keys(standardRegistry.architecture(name).presets)) {
      expect(stdout).toMatch(new RegExp(`^  ${preset} +\\S`, 'm'));
    }
    expect(stdout).toMatch(/--help-all +this, with \d+ more options/);
    expect(stdout).not.toContain('--label-smoothing');
    const all = await palimpsest(['train', name, '--help-all']);
    expect(all.code).toBe(0);
    expect(all.stdout).toContain('--label-smoothing');
  });
});
