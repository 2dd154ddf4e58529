import { describe, expect, it } from 'vitest';
import { palimpsest } from './support/cli.js';

describe('palimpsest doctor', () => {
  it('says which engine is used, tries a known result on it, and gives a remedy for every missing one', async () => {
    const { code, stdout } = await palimpsest(['doctor', '--json']);
    expect(code).toBe(0);
    const diagnosis = JSON.parse(stdout);
    expect(diagnosis.selfTest.passed).toBe(true);
    expect(diagnosis.engines.find((probe: { name: string }) => probe.name === 'cpu').available).toBe(true);
    for (const probe of diagnosis.engines) if (!probe.available) expect(probe.remedy).toMatch(/install/);
    expect(diagnosis.packages).toHaveProperty('@palimpsest/tensor-core');
  });

  it('prints the same for people', async () => {
    const { code, stdout } = await palimpsest(['doctor', '--engine', 'cpu']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^engine in use: cpu \(/m);
    expect(stdout).toMatch(/^self-test: passed/m);
  });
});
