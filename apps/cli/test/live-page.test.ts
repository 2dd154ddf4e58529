import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { liveRun } from './support/live.js';
import { tiny } from './support/trained.js';

/** Every page that a run sends to one who looks from the beginning. */
async function pagesOf(address: string): Promise<string[]> {
  const { body } = await fetch(`${address}events`);
  const text = await new Response(body).text();
  const events = text.split('\n\n').filter((event) => event !== '');
  return events.map((event) => JSON.parse(event.replace(/^data: /, '')).page);
}

const NOTHING = join(emptyFolder(), 'no-such-program');

describe('palimpsest train --open', () => {
  it.each([
    ['osam', tiny],
    ['gru', ['--width', '16', '--batch-size', '4', '--seq-len', '16', '--dataset', 'default']],
  ])('shows %s while it trains and to its end, and ends with it', async (model, sizes) => {
    const flags = [model, ...sizes, '--steps', '40', '--sample-every', '10', '--validate-every', '20'];
    const run = liveRun(flags, NOTHING);
    const address = await run.address;
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const pages = await pagesOf(address);
    expect(pages[0]).toContain('data-ended="false"');
    const last = pages.at(-1)!;
    for (const text of [
      'data-ended="true"',
      `Training ${model}: 100 %`,
      '40 of 40',
      'Step 40',
      'held-out loss',
      'memory of a text',
    ])
      expect(last.includes(text), text).toBe(true);
    const { code } = await run.finished;
    expect(code).toBe(0);
    await expect(fetch(address)).rejects.toThrow();
    expect(existsSync(join(run.folder, 'latest', 'model.safetensors'))).toBe(true);
  });

  // The system's own opener is asked, which on Linux takes the program from the environment.
  if (process.platform === 'linux') {
    it('opens the browser that there is, at its address', async () => {
      const folder = emptyFolder();
      const [browser, opened] = [join(folder, 'browser'), join(folder, 'opened')];
      writeFileSync(browser, `#!/bin/sh\necho "$1" > ${opened}\n`);
      chmodSync(browser, 0o755);
      const run = liveRun(['osam', ...tiny, '--steps', '40', '--sample-every', '0'], browser);
      const address = await run.address;
      const { code, stderr } = await run.finished;
      expect(code).toBe(0);
      expect(readFileSync(opened, 'utf8')).toBe(`${address}\n`);
      expect(stderr).not.toContain('No browser');
    });

    it('says so where no browser can be opened, and trains', async () => {
      const run = liveRun(['osam', ...tiny, '--steps', '40', '--sample-every', '0'], NOTHING);
      const [address, { code, stderr }] = await Promise.all([run.address, run.finished]);
      expect(code).toBe(0);
      expect(stderr).toContain(`No browser could be opened; open ${address} in one of this machine.`);
    });
  }

  it('is refused where nothing is trained', async () => {
    const { code, stderr } = await palimpsest(['train', 'osam', '--no-train', '--open', '--load', 'run']);
    expect(code).toBe(2);
    expect(stderr).toContain('--open shows a run that trains, and --no-train trains nothing');
  });
});
