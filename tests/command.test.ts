import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the command', () => {
  it('is what npx finds anywhere in the clone, so that no package of another name is fetched', () => {
    for (const cwd of [root, join(root, 'packages', 'osam'), join(root, 'docs')]) {
      const version = execFileSync('npx', ['--no-install', 'palimpsest', '--version'], {
        cwd,
        encoding: 'utf8',
      });
      expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
    }
  }, 120_000);

  it('says how it is built when it is not', () => {
    const folder = mkdtempSync(join(tmpdir(), 'palimpsest-bin-'));
    try {
      cpSync(join(root, 'apps', 'cli', 'bin'), join(folder, 'bin'), { recursive: true });
      cpSync(join(root, 'apps', 'cli', 'package.json'), join(folder, 'package.json'));
      const { status, stderr } = spawnSync('node', [join(folder, 'bin', 'palimpsest.js'), 'doctor'], {
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: 'error: Palimpsest is not built yet; `npm start` or `pnpm build` does it.\n',
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
