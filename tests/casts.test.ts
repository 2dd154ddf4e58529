import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { workspacesOf } from './support/workspaces.js';

/** Casts that silence the compiler, in the sources of all packages. Whoever removes some lowers the number. */
const BUDGET = 120;

it('casts through never and unknown may only become fewer', () => {
  const found = [...workspacesOf('packages'), ...workspacesOf('apps')].flatMap(({ folder, manifest }) => {
    const files = readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' });
    const count = files
      .filter((path) => path.endsWith('.ts'))
      .flatMap(
        (path) => readFileSync(join(folder, 'src', path), 'utf8').match(/\bas (never|unknown as)\b/g) ?? [],
      ).length;
    return [{ name: manifest.name, count }];
  });
  const total = found.reduce((sum, { count }) => sum + count, 0);
  expect(total, JSON.stringify(found)).toBeLessThanOrEqual(BUDGET);
});
