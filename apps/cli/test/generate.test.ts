import { cpSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

let run: string;
beforeAll(async () => {
  run = await trainedRun();
});

describe('palimpsest generate', () => {
  it('prints the prompt and what follows, the same for the same seed', async () => {
    const generate = (seed: string) =>
      palimpsest(['generate', run, '--prompt', 'hello', '--seed', seed, '--max-new-tokens', '24']);
    const [first, again, other] = [await generate('1'), await generate('1'), await generate('2')];
    expect(first.code).toBe(0);
    expect([...first.stdout.trimEnd()].length).toBeLessThanOrEqual(5 + 24);
    expect(first.stdout.startsWith('hello')).toBe(true);
    expect(again.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
    expect(first.stderr).toMatch(/24 tokens, \d+ tokens\/s, \d+ bytes of memory \(length\)/);
  });

  it('gives one JSON document, and stops before a stop text', async () => {
    const flags = ['--prompt', 'x', '--greedy', '--max-new-tokens', '30', '--json'];
    const whole = JSON.parse((await palimpsest(['generate', run, ...flags])).stdout);
    expect(whole).toMatchObject({ prompt: 'x', tokens: 30, reason: 'length' });
    expect([...whole.text]).toHaveLength(30);
    const stop = whole.text.slice(3, 5);
    const stopped = JSON.parse((await palimpsest(['generate', run, ...flags, '--stop', stop])).stdout);
    expect(stopped).toMatchObject({ reason: 'stop', text: whole.text.slice(0, whole.text.indexOf(stop)) });
  });

  it('says which characters of the prompt the model does not know, once, and not with --quiet', async () => {
    const text = ['--prompt', 'hello “日本日”', '--max-new-tokens', '2'];
    const { code, stderr } = await palimpsest(['generate', run, ...text]);
    expect(code).toBe(0);
    const [warning, ...others] = stderr.split('\n').filter((line) => line.startsWith('warning: '));
    expect(warning).toBe(
      'warning: The prompt has characters that are not in the vocabulary of this model and are replaced or left out: "“", "日", "本", "”".',
    );
    expect(others).toEqual([]);
    expect((await palimpsest(['generate', run, ...text, '--quiet'])).stderr).toBe('');
    const known = await palimpsest(['generate', run, '--prompt', 'hello', '--max-new-tokens', '2']);
    expect(known.stderr).not.toContain('warning');
  });

  it('refuses a folder that is no checkpoint and sampling that cannot be', async () => {
    const foreign = await palimpsest(['generate', emptyFolder()]);
    expect(foreign.code).toBe(2);
    expect(foreign.stderr).toMatch(/^error: The folder '.*' is not a checkpoint/);
    const wrong = await palimpsest(['generate', run, '--topp', '1.5']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/^error: --top-p: /);
    expect((await palimpsest(['generate'])).code).toBe(2);
  });

  it('takes the newest run when none is named, says which, and says what to give when there is none', async () => {
    const cwd = emptyFolder();
    for (const [name, hour] of [
      ['old', 1],
      ['new', 3],
      ['older', 0],
    ] as const) {
      cpSync(run, join(cwd, 'runs', name), { recursive: true });
      utimesSync(join(cwd, 'runs', name, 'latest', 'config.json'), hour, hour);
    }
    const flags = ['--prompt', 'hello', '--max-new-tokens', '2'];
    const { code, stdout, stderr } = await palimpsest(['generate', ...flags], { cwd });
    expect(stderr).toContain(`the newest run: ${join('runs', 'new')}\n`);
    expect(stdout.startsWith('hello')).toBe(true);
    expect(code).toBe(0);
    expect(await palimpsest(['generate', ...flags])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: Which model\? /),
    });
  });
});
