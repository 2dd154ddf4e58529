import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

const plugin = fileURLToPath(new URL('./support/plugins/scaled-reply.mjs', import.meta.url));
const train = (flags: readonly string[], env: Record<string, string> = {}) =>
  palimpsest(['train', 'scaled-reply', '--plugin', plugin, '--quiet', ...flags], { cwd: emptyFolder(), env });

describe('--base: a model made over another one', () => {
  it('is trained over the weights of the other, named in its checkpoint, and speaks', async () => {
    const base = await trainedRun();
    const out = join(emptyFolder(), 'run');
    const trained = await train(['--base', base, '--steps', '2', '--out', out]);
    expect(trained.stderr).toBe('');
    expect(trained.code).toBe(0);
    const config = JSON.parse(readFileSync(join(out, 'latest', 'config.json'), 'utf8'));
    expect(config.notes.base).toBe(base);
    const ask = ['generate', out, '--plugin', plugin, '--prompt', 'hello', '--max-new-tokens', '3', '--json'];
    expect(JSON.parse((await palimpsest(ask)).stdout)).toMatchObject({ tokens: 3 });
    expect((await train(['--load', out, '--base', base, '--steps', '3'])).code).toBe(0);
    const other = await train(['--load', out, '--base', out, '--steps', '4']);
    expect(other).toMatchObject({ code: 2, stdout: '' });
    expect(other.stderr).toContain('--base is ');
  }, 120_000);

  it('is refused in one sentence without the other, or where there is none', async () => {
    const without = await train(['--steps', '2']);
    expect(without).toMatchObject({ code: 2, stdout: '' });
    expect(without.stderr).toContain(
      "'scaled-reply' is made over another model: give the folder of that one",
    );
    const nowhere = await train(['--base', 'nowhere', '--steps', '2']);
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain('nowhere');
    expect(nowhere.stderr).not.toMatch(/^ +at /m);
  }, 120_000);
});

describe('an option of a plugin that has the name of a flag of training', () => {
  it.each(['steps', 'temperature', 'out'])(
    '%s is refused by name',
    async (name) => {
      const clash = await train([], { CLASHING_OPTION: name });
      expect(clash).toMatchObject({ code: 2, stdout: '' });
      expect(clash.stderr).toContain(
        `The architecture 'clashing' has an option '${name}', but 'train' has one`,
      );
    },
    60_000,
  );
});
