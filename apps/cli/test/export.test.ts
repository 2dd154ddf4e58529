import { statSync } from 'node:fs';
import { join } from 'node:path';
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
      expect(result.inputs[0].shape).toEqual(shape);
      const logits = result.outputs.find(({ path }: { path: string }) => path === 'logits');
      expect(logits.shape).toEqual([...shape, 17]);
    }
  });

  it('refuses sizes that cannot be', async () => {
    expect((await palimpsest(['export', 'nowhere', '--batch', '0'])).code).toBe(2);
  });
});
