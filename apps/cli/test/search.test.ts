import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const search = (cwd: string, ...more: string[]) =>
  palimpsest(
    ['search', '--tasks', 'mqar', '--models', 'osam', '--trials', '2', '--threads', '1', '--quiet', ...more],
    { cwd },
  );

describe('palimpsest search', () => {
  it('tries settings, says the best, writes everything down and repeats nothing', async () => {
    const cwd = emptyFolder();
    const part = await search(cwd, '--shard', '1/2');
    expect(part.stdout).toMatch(/search\.json is written when all cells of the search have a result\.$/m);
    expect(existsSync(join(cwd, 'search-results', 'search.json'))).toBe(false);
    const { code, stdout } = await search(cwd, '--finalists', '1', '--final-seeds', '1002');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^osam +best of 2 +[01]\.\d{3} +\d/m);
    expect(stdout).toContain(
      `3 of 3 cells done, 0 failed; everything tried: ${join('search-results', 'search.json')}`,
    );
    const log = readFileSync(join(cwd, 'search-results', 'search.json'), 'utf8');
    const { trials } = JSON.parse(log);
    expect(trials).toHaveLength(2);
    expect(trials.filter(({ isDefault }: { isDefault: boolean }) => isDefault)).toHaveLength(1);
    expect(trials.filter(({ isFinalist }: { isFinalist: boolean }) => isFinalist)).toHaveLength(1);
    const again = await search(cwd, '--finalists', '1', '--final-seeds', '1002', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ total: 3, failed: 0, trials });
    expect(readFileSync(join(cwd, 'search-results', 'search.json'), 'utf8')).toBe(log);
  }, 240_000);

  it('refuses the seeds of tables', async () => {
    expect(await search(emptyFolder(), '--seeds', '1')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'error: The seed 1 is one that tables use; a search takes seeds from 1001 on.\n',
    });
  });
});
