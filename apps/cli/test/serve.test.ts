import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

/** Serves while something is done, then ends the server as a service manager does. */
async function served<T>(args: readonly string[], cwd: string, use: (url: string) => Promise<T>) {
  let result: Promise<T> | undefined;
  const finished = await palimpsest(['serve', ...args, '--port', '0', '--json'], {
    cwd,
    onStart: (child) => {
      child.stdout.once('data', (text: string) => {
        result = use(JSON.parse(text).url);
        result.then(
          () => child.kill('SIGTERM'),
          () => child.kill('SIGTERM'),
        );
      });
    },
  });
  return { ...finished, result: await result };
}

const say = (model: string, prompt: string) => async (url: string) => {
  const response = await fetch(`${url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, max_tokens: 8, temperature: 0, session: 'kept' }),
  });
  return JSON.parse(await response.text()).choices[0].text as string;
};

describe('palimpsest serve', () => {
  it('serves a saved run, saves its sessions when it is told to end, and goes on with them', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    const flags = [run, '--parallel', '1'];
    const first = await served(flags, cwd, say(basename(run), 'hello '));
    expect(first).toMatchObject({
      code: 143,
      stderr: expect.stringContaining('Saved 1 session in palimpsest-sessions.'),
    });
    expect(readdirSync(join(cwd, 'palimpsest-sessions'))).toEqual(['kept.session']);
    const second = await served([...flags, '--name', 'it'], cwd, say('it', ''));
    const whole = await palimpsest([
      ...['generate', run, '--prompt', 'hello ', '--greedy', '--max-new-tokens', '16', '--json', '--quiet'],
    ]);
    expect(`${first.result}${second.result}`).toBe(JSON.parse(whole.stdout).text);
  });

  it('refuses an address that is none, and a model that there is not, with code 2', async () => {
    const run = await trainedRun();
    const bad = await palimpsest(['serve', run, '--host', '203.0.113.7', '--port', '0', '--quiet']);
    expect(bad).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: Nothing can listen at 203\.0\.113\.7[^\n]*\n$/),
    });
    const none = await palimpsest(['serve', 'nowhere', '--quiet']);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: [^\n]*\n$/) });
  });
});
