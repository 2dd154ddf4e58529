import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

describe('palimpsest', () => {
  it('lists its verbs', async () => {
    const { code, stdout } = await palimpsest(['--help']);
    expect(code).toBe(0);
    for (const verb of ['eval', 'parity', 'doctor']) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'));
  });

  it('says which words may follow one that is no verb of its own', async () => {
    const { stdout } = await palimpsest(['--help']);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/ memory with a word more: add, search, /);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/ train with a word more: osam, rsm, /);
  });

  it('prints its version', async () => {
    expect(await palimpsest(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it('suggests the nearest verb and flag, with code 2 and no stack', async () => {
    const verb = await palimpsest(['docter']);
    expect(verb.code).toBe(2);
    expect(verb.stderr).toContain('Did you mean doctor?');
    const flag = await palimpsest(['doctor', '--enginee', 'cpu']);
    expect(flag.code).toBe(2);
    expect(flag.stderr).toContain('Did you mean --engine?');
    expect(flag.stderr).not.toMatch(/^\s+at /m);
  });

  it('takes options from a configuration file, flags first, and refuses unknown keys with a suggestion', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'good.json'), '{"engine": "wasm", "json": true}');
    writeFileSync(join(folder, 'bad.json'), '{"enginee": "cpu"}');
    const fromFile = await palimpsest(['doctor', '--config', 'good.json'], { cwd: folder });
    expect(JSON.parse(fromFile.stdout).chosen.name).toBe('wasm');
    const overridden = await palimpsest(['doctor', '--config', 'good.json', '--engine', 'cpu'], {
      cwd: folder,
    });
    expect(JSON.parse(overridden.stdout).chosen.name).toBe('cpu');
    const refused = await palimpsest(['doctor', '--config', 'bad.json'], { cwd: folder });
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        "error: The configuration file 'bad.json' has an unknown key 'enginee'; did you mean 'engine'?\n",
    });
  });

  it('refuses values that do not fit, in one sentence', async () => {
    expect(await palimpsest(['doctor', '--threads', 'many'])).toMatchObject({
      code: 2,
      stderr: "error: --threads needs a number, but 'many' was given.\n",
    });
    const zero = await palimpsest(['doctor', '--threads', '0']);
    expect(zero.code).toBe(2);
    expect(zero.stderr).toMatch(/^error: --threads: .*>=1.*\(given: 0\)\.\n$/);
    expect((await palimpsest(['doctor', '--engine', 'abacus'])).stderr).toContain(
      'Allowed choices are auto, onnx',
    );
  });
});
