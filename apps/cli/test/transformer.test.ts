import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const tiny = ['--layers', '1', '--model-width', '32', '--heads', '4', '--batch', '4', '--seq', '32'];

/** Trains a small transformer with a window and sinks into a run folder. */
async function windowedRun(): Promise<string> {
  const folder = join(emptyFolder(), 'run');
  const window = ['--preset', 'streaming', '--window', '20', '--sinks', '2', '--key-value-heads', '2'];
  const flags = [...tiny, ...window, '--steps', '60', '--out', folder, '--json'];
  const { code, stderr } = await palimpsest(['train', 'transformer', ...flags]);
  if (code !== 0) throw new Error(`Training failed with code ${code}: ${stderr}`);
  return folder;
}

describe('palimpsest train transformer', () => {
  it('trains, generates, is described, exported, and goes on', async () => {
    const run = await windowedRun();
    const metrics = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
    const losses = metrics.map((line) => JSON.parse(line)).filter(({ type }) => type === 'step');
    expect(losses[0].loss).toBeGreaterThan(2.6);
    expect(losses.at(-1).loss).toBeLessThan(2.2);

    const flags = ['--prompt', 'hello', '--max-new-tokens', '40', '--json'];
    const reply = JSON.parse((await palimpsest(['generate', run, ...flags])).stdout);
    const slots = 22;
    const stateBytes = 4 * (slots * (2 * 2 * 8 + 1) + 1);
    expect(reply).toMatchObject({ tokens: 40, stateBytes });

    const description = JSON.parse((await palimpsest(['info', run, '--json'])).stdout);
    expect(description).toMatchObject({
      model: 'transformer',
      stateBytes,
      config: { window: 20, sinks: 2, keyValueHeads: 2, layers: 1, context: 64 },
      training: { step: 60 },
    });
    const out = join(run, 'step.onnx');
    const exported = JSON.parse((await palimpsest(['export', run, '--out', out, '--json'])).stdout);
    expect(exported.bytes).toBe(readFileSync(out).length);
    expect(exported.inputs.map(({ name }: { name: string }) => name)).toEqual([
      'token',
      'state.position',
      'state.positions',
      'state.layers.0.keys',
      'state.layers.0.values',
      'begun',
    ]);

    const resumed = await palimpsest(['train', 'transformer', '--load', run, '--steps', '62', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ step: 62, tokens: 62 * 4 * 32 });
  });

  it('refuses sizes that do not fit together, with code 2 and one sentence', async () => {
    const errorOf = async (...args: string[]) => {
      const { code, stdout, stderr } = await palimpsest(['train', 'transformer', '--quiet', ...args]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^error: .*\n$/);
      return stderr;
    };
    expect(await errorOf('--heads', '3')).toContain('modelWidth 128 cannot be split over 3 heads');
    expect(await errorOf('--sinks', '2')).toContain('needs a window');
    expect(await errorOf('--key-value-heads', '3')).toContain('cannot share 3 key/value heads');
    expect(await errorOf('--layers', '0')).toContain('--layers');
  });

  it('takes the training settings of a preset', async () => {
    const folder = join(emptyFolder(), 'run');
    const flags = [...tiny, '--preset', 'shakespeare', '--heads', '2', '--steps', '1', '--out', folder];
    expect((await palimpsest(['train', 'transformer', ...flags, '--quiet'])).code).toBe(0);
    const { model, notes } = JSON.parse(readFileSync(join(folder, 'latest', 'config.json'), 'utf8'));
    expect(model.config).toMatchObject({ norm: 'rms', activation: 'swiglu', context: 128, layers: 1 });
    expect(notes.data).toMatchObject({ batchSize: 4, seqLen: 32 });
    const [start] = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').split('\n');
    expect(JSON.parse(start!).settings).toMatchObject({ learningRate: 2e-3, warmupSteps: 100, steps: 1 });
  });
});
