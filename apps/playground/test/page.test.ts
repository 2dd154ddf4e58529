import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stateBytes } from '@palimpsest/lm';
import { describe, expect, it } from 'vitest';
import { type MechanismName, mechanisms } from '../src/choices.js';
import { freshModel } from '../src/engine/mechanisms.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');

describe('the built page', () => {
  it('takes less than 3 MB before the first model', () => {
    const files = readdirSync(join(dist, 'assets')).map((name) => join(dist, 'assets', name));
    const bytes = [join(dist, 'index.html'), ...files].reduce((sum, file) => sum + statSync(file).size, 0);
    expect(bytes).toBeLessThan(3e6);
  });

  it('names its own files by relative addresses, and no other host', () => {
    const html = readFileSync(join(dist, 'index.html'), 'utf8');
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address!);
    expect(addresses.length).toBeGreaterThan(2);
    for (const address of addresses) expect(address).toMatch(/^(\.\/|data:)/);
  });
});

describe('mechanisms at equal bytes', () => {
  const names = Object.keys(mechanisms) as MechanismName[];
  const bytesOf = async (name: MechanismName, bytes: number) =>
    stateBytes((await freshModel(name, 60, bytes)).model);
  const [large, small] = [16_384, 2048];

  it.each(names.filter((name) => name !== 'gru'))(
    '%s comes within a fifth of what is asked for',
    async (name) => {
      expect(Math.abs((await bytesOf(name, large)) / large - 1)).toBeLessThan(0.2);
    },
  );

  it('a GRU takes the most of what trains in minutes', async () => {
    expect(await bytesOf('gru', large)).toBe(small);
  });

  it.each(names.filter((name) => name !== 'gru' && name !== 'om-arc'))(
    '%s comes down to what a GRU takes within a third',
    async (name) => {
      expect(Math.abs((await bytesOf(name, small)) / small - 1)).toBeLessThan(1 / 3);
    },
  );
});
