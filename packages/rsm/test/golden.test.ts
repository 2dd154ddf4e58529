import { goldenFailures, runGolden } from '@palimpsest/base/golden';
import { createEngine } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const folder = new URL('golden/', import.meta.url).pathname;
const engines = await Promise.all((['cpu', 'onnx'] as const).map((name) => createEngine(name)));
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

describe('golden cases', () => {
  it.each(engines.map((engine) => [engine.name, engine] as const))('on %s', async (_name, engine) => {
    const report = await runGolden({ folder, handlers: goldenHandlers, engine });
    expect(goldenFailures(report)).toEqual([]);
    expect(report.passed).toBeGreaterThan(0);
    expect(engine.memory().arrays).toBe(0);
  });
});
