import { describe, expect, it } from 'vitest';
import { palimpsest } from './support/cli.js';

describe('palimpsest bench', () => {
  it('relates every engine to the baseline of the same run', async () => {
    const { code, stdout } = await palimpsest([
      'bench',
      '--only',
      'engines/matmul',
      '--seconds',
      '0.05',
      '--json',
    ]);
    expect(code).toBe(0);
    const [{ name, timings }] = JSON.parse(stdout);
    expect(name).toBe('engines/matmul');
    const baseline = timings.find(({ isBaseline }: { isBaseline: boolean }) => isBaseline);
    expect(baseline).toMatchObject({ name: 'cpu', speedup: 1 });
    expect(timings.length).toBeGreaterThan(1);
    for (const { medianMilliseconds, speedup } of timings) {
      expect(speedup).toBeCloseTo(baseline.medianMilliseconds / medianMilliseconds, 9);
    }
  });

  it('names the benchmarks when none is meant, with code 2', async () => {
    const { code, stderr } = await palimpsest(['bench', '--only', 'steam-engine']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: No benchmark has 'steam-engine' in its name; there are engines\/matmul/);
  });
});
