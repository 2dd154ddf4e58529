import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const home = join(import.meta.dirname, '..');
const out = mkdtempSync(join(tmpdir(), 'palimpsest-site-'));
const page = (path: string) => readFileSync(join(out, path), 'utf8');

// A link that leads nowhere ends the build. The reference is left to `build:site`, which takes minutes.
beforeAll(() => {
  const script = join(home, 'src/build-site.mjs');
  execFileSync(process.execPath, [script, '--no-reference', '--base', '/some/folder/', '--out', out], {
    stdio: 'pipe',
  });
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

describe('the site', () => {
  it('has the pages, and the code of the example as it is', () => {
    for (const path of ['start', 'memories/osam', 'sizes', 'command-line', 'packages/serve']) {
      expect(existsSync(join(out, `${path}.html`))).toBe(true);
    }
    expect(page('own-mechanism.html')).toContain('defineArchitecture');
    expect(page('memories/osam.html')).toMatch(/<img[^>]+memory-osam/);
  });

  it('has the playground inside where that is built, in the folder that was asked for', () => {
    const built = existsSync(join(home, '../playground/dist/index.html'));
    expect(existsSync(join(out, 'playground/index.html'))).toBe(built);
    expect(existsSync(join(home, out))).toBe(false);
  });

  it('works below a folder and asks no other host for anything', () => {
    const html = page('start.html');
    const fetched = [...html.matchAll(/<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(
      ([, url]) => url!,
    );
    expect(fetched.length).toBeGreaterThan(3);
    expect(fetched.filter((url) => !url.startsWith('/some/folder/') && !url.startsWith('data:'))).toEqual([]);
    const styles = readdirSync(join(out, 'assets')).filter((name) => name.endsWith('.css'));
    expect(styles.length).toBeGreaterThan(0);
    for (const name of styles) expect(page(`assets/${name}`)).not.toMatch(/url\(["']?https?:/);
  });

  it('brings its index of words', () => {
    const chunks = readdirSync(join(out, 'assets/chunks')).filter((name) =>
      name.startsWith('@localSearchIndex'),
    );
    expect(chunks).toHaveLength(1);
    expect(page(`assets/chunks/${chunks[0]}`).includes('"forgets"')).toBe(true);
  });
});
