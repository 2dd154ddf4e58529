import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const base = fileURLToPath(new URL('../../../packages/backbone/test/golden/hf/tiny-qwen2', import.meta.url));

async function errorOf(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await palimpsest([...args, '--quiet']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^error: [^\n]*\n$/);
  return stderr;
}

const size = ['--batch-size', '2', '--seq-len', '8', '--sample-every', '0', '--validation-fraction', '0'];

describe('palimpsest train transformer --load FOLDER --lora', () => {
  it('trains adapters, which go on, write, and are exported', async () => {
    const cwd = emptyFolder();
    const run = join(cwd, 'tuned');
    const text = join(cwd, 'tides.txt');
    writeFileSync(text, 'the tide comes in, the tide goes out. '.repeat(40));
    const train = async (...flags: string[]) => {
      const { code, stdout, stderr } = await palimpsest(['train', 'transformer', ...flags, '--json'], {
        cwd,
      });
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      return { events: stdout, stderr };
    };
    // --lora stands before another flag, so that it has no value.
    const begun = await train(
      '--load',
      base,
      '--lora',
      '--steps',
      '3',
      '--out',
      run,
      '--text-path',
      text,
      ...size,
    );
    expect(begun.stderr).toContain('fine-tuning at a learning rate of 0.0002;');
    const lora = () => JSON.parse(readFileSync(join(run, 'latest', 'config.json'), 'utf8')).model.config.lora;
    expect(lora()).toMatchObject({ rank: 8, alpha: 16, targets: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] });
    await train('--load', run, '--steps', '5');
    const steps = readFileSync(join(run, 'metrics.jsonl'), 'utf8').match(/"type":"step"/g);
    expect(steps).toHaveLength(5);

    const write = async (place: string) => {
      const flags = ['--prompt', 'Hello world', '--greedy', '--max-new-tokens', '6', '--json', '--quiet'];
      const { stdout, stderr } = await palimpsest(['generate', '--model', place, ...flags], { cwd });
      expect(stderr).toBe('');
      return JSON.parse(stdout).text;
    };
    const own = await write(run);
    for (const [format, place] of [
      ['hugging-face', 'merged'],
      ['peft', 'adapters'],
    ] as const) {
      const { code, stdout } = await palimpsest(['export', run, '--format', format], { cwd });
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`${place}: `) });
      expect(await write(join(cwd, place))).toBe(own);
    }
    expect(await errorOf('export', run, '--format', 'peft', '--time', '4')).toContain(
      '--time is for --format onnx',
    );
    expect(await errorOf('train', 'transformer', '--load', run, '--lora', '4')).toContain(
      'names a run, which goes on as it was begun',
    );
  }, 240_000);

  it('refuses adapters that cannot be, in one sentence', async () => {
    const refusal = (...flags: string[]) => errorOf('train', 'transformer', ...flags);
    expect(await refusal('--load', base, '--lora', '0')).toContain('--lora: too small');
    expect(await refusal('--load', base, '--lora', '4', '--lora-targets', 'attention,head')).toContain(
      "'head' names no layers of this model that can have adapters; it has q, k, v, o, gate, up, down",
    );
    expect(await refusal('--lora')).toContain('name their Hugging Face folder or GGUF file by --load');
    expect(await refusal('--load', 'nowhere', '--lora')).toContain("no folder and no file 'nowhere'");
    expect(await refusal('--load', base, '--lora-alpha', '8')).toContain('give --lora too');
    expect(await refusal('--load', base, '--lora', '--freeze-blocks')).toContain('need not be frozen');
  }, 240_000);
});
