import { statSync } from 'node:fs';
import { join } from 'node:path';
import { readTokenizer } from '@palimpsest/lm';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

describe('palimpsest export', () => {
  it('writes the step and the parallel form as ONNX files', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    for (const [time, shape] of [
      ['1', [2]],
      ['5', [2, 5]],
    ] as const) {
      const file = join(cwd, `model-${time}.onnx`);
      const flags = ['--out', file, '--batch', '2', '--time', time, '--json'];
      const { code, stdout } = await palimpsest(['export', run, ...flags]);
      expect(code).toBe(0);
      const result = JSON.parse(stdout);
      expect(statSync(file).size).toBe(result.bytes);
      expect(result.tokenizer).toBe(join(cwd, `model-${time}.tokenizer.json`));
      expect(readTokenizer(result.tokenizer).vocabSize).toBe(17);
      expect(result.inputs[0]).toMatchObject({ name: shape.length === 1 ? 'token' : 'tokens', shape });
      for (const { name, initial, next } of result.inputs.slice(1))
        expect([name, initial, next]).toEqual([expect.stringMatching(/^state\./), 0, `next.${name}`]);
      const logits = result.outputs.find(({ path }: { path: string }) => path === 'logits');
      expect(logits.shape).toEqual([...shape, 17]);
    }
  });

  it('writes the weights to a second file when it is told to', async () => {
    const run = await trainedRun();
    const file = join(emptyFolder(), 'model.onnx');
    const { code, stdout, stderr } = await palimpsest([
      'export',
      run,
      '--out',
      file,
      '--external-data',
      '--json',
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.externalData.file).toBe(`${file}.data`);
    expect(statSync(`${file}.data`).size).toBe(result.externalData.bytes);
    expect(statSync(file).size).toBe(result.bytes);
    const whole = await palimpsest(['export', run, '--out', file, '--json']);
    expect(JSON.parse(whole.stdout).bytes).toBeGreaterThan(result.bytes + 5000);
  });

  it('refuses sizes that cannot be', async () => {
    expect((await palimpsest(['export', 'nowhere', '--batch', '0'])).code).toBe(2);
  });
});
