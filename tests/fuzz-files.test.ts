import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../scripts/fuzz-files.mjs', import.meta.url));

/** A tenth of what `node scripts/fuzz-files.mjs` reads by itself. */
it('damaged files are read as what they say, or refused in a sentence', { timeout: 600_000 }, () => {
  const { status, stdout } = spawnSync(process.execPath, [script, '200', '1'], { encoding: 'utf8' });
  expect(stdout).toMatch(/^200 inputs: \d+ read, \d+ refused, 0 wrong\.$/m);
  expect(status).toBe(0);
});
