import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

describe('palimpsest parity', () => {
  it('reproduces golden cases that ship', async () => {
    const { code, stdout, stderr } = await palimpsest(['parity', '--system', 'kakeya', '--json']);
    expect(stderr).toMatch(/^parity: (\d+)\/\1 cases \(100 %\)/m);
    const report = JSON.parse(stdout);
    expect(report.failed).toBe(0);
    expect(report.passed).toBe(report.cases.length);
    expect(report.cases.length).toBeGreaterThan(0);
    for (const { outputs } of report.cases) expect(outputs.length).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  it('fails with code 1 on a kind nobody registered', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'new.json'), '{"system": "osam", "kind": "crystal-ball"}');
    const { code, stdout } = await palimpsest(['parity', '--golden', folder, '--engine', 'cpu', '--quiet']);
    expect(code).toBe(1);
    expect(stdout).toContain("No handler is registered for the kind 'crystal-ball'");
    expect(stdout).toContain('0 of 1 cases passed');
  });

  it('refuses a folder without cases, and one that is missing, with code 2', async () => {
    const folder = emptyFolder();
    expect(await palimpsest(['parity', '--golden', folder, '--engine', 'cpu'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('holds no golden case'),
    });
    const nobody = await palimpsest(['parity', '--system', 'nobody', '--engine', 'cpu']);
    expect(nobody).toMatchObject({ code: 2, stderr: expect.stringContaining("no golden case of 'nobody'") });
    const missing = await palimpsest(['parity', '--golden', join(folder, 'no'), '--engine', 'cpu']);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/^error: There is no folder/);
  });
});
