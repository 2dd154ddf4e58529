import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

const short = ['--max-new-tokens', '4', '--greedy', '--threads', '1'];

describe('the prompt of generate', () => {
  it('comes from a file, from standard input, or stands in the command, with the same reply', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'prompt.txt'), 'hello');
    const reply = async (flags: readonly string[], input?: string) => {
      const options = input === undefined ? { cwd } : { cwd, input };
      const { code, stdout } = await palimpsest(['generate', run, ...flags, ...short, '--json'], options);
      expect(code).toBe(0);
      const { prompt, text } = JSON.parse(stdout);
      return { prompt, text };
    };
    const named = await reply(['--prompt', 'hello']);
    expect(await reply(['--prompt-path', 'prompt.txt'])).toEqual(named);
    expect(await reply(['--prompt-path', '-'], 'hello')).toEqual(named);
    expect(named).toMatchObject({ prompt: 'hello' });
  });

  it('may be longer than the arguments of one call', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'long.txt'), 'hello '.repeat(25_000));
    const flags = ['--prompt-path', 'long.txt', ...short, '--json'];
    const { code, stdout } = await palimpsest(['generate', run, ...flags], { cwd });
    expect(code).toBe(0);
    expect(JSON.parse(stdout).tokens).toBe(4);
  }, 300_000);

  it('is refused in one sentence when it cannot be read', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'bytes'), Uint8Array.of(0x68, 0xff, 0xfe));
    const errorOf = async (...flags: string[]) => {
      const { code, stderr } = await palimpsest(['generate', run, ...flags, ...short, '--quiet'], { cwd });
      expect(code).toBe(2);
      expect(stderr).toMatch(/^error: .*\n$/);
      return stderr;
    };
    expect(await errorOf('--prompt-path', 'bytes')).toContain('is not UTF-8 text');
    expect(await errorOf('--prompt-path', 'nowhere')).toContain("'nowhere'");
    expect(await errorOf('--prompt-path', '.')).toContain('is a folder');
    expect(await errorOf('--prompt', 'a', '--prompt-path', 'bytes')).toContain(
      'both --prompt and --prompt-path',
    );
  });
});

describe('pipes in place of files', () => {
  it('are refused instead of waited for', async () => {
    const cwd = emptyFolder();
    spawnSync('mkfifo', [join(cwd, 'pipe')]);
    for (const flags of [
      ['train', 'osam', '--text-path', 'pipe'],
      ['train', 'osam', '--tokenizer', 'file', '--tokenizer-path', 'pipe'],
      ['train', 'osam', '--config', 'pipe'],
    ]) {
      const { code, stderr } = await palimpsest([...flags, '--quiet'], { cwd });
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: expect.stringMatching(/^error: .*pipe' is a pipe/),
      });
    }
  });

  it('end on Ctrl-C while they are silent', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    spawnSync('mkfifo', [join(cwd, 'pipe')]);
    const { code } = await palimpsest(['generate', run, '--prompt-path', 'pipe'], {
      cwd,
      onStart: (child) => setTimeout(() => child.kill('SIGINT'), 4000),
    });
    expect(code).toBe(130);
  });
});

describe('sizes that cannot fit', () => {
  it.each([
    [
      '--batch-size',
      '100000000',
      /logits, 100000000 x 64 tokens .* needs [\d.]+ [GT]B, but this machine has/,
    ],
    ['--d-model', '1000000000', /A model of \d+ parameters, at 4 bytes each, needs/],
    ['--layers', '100000', /--layers: too big: expected number to be <=10000/],
    [
      '--d-model',
      '3000000',
      /The sizes that were asked for do not fit into memory|more than \d+ parameters|needs [\d.]+ [GT]B, but this machine has/,
    ],
  ])('are refused before work begins: %s %s', async (flag, value, sentence) => {
    const { code, stderr } = await palimpsest(['train', 'osam', flag, value, '--quiet']);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
  });
});
