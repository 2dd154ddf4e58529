import { fileURLToPath } from 'node:url';
import { goldenFailures, runGolden } from '@palimpsest/base/golden';
import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const folder = fileURLToPath(new URL('./golden', import.meta.url));

describe.each(['cpu', 'onnx', 'wasm'] as const)('golden cases on %s', (name) => {
  it('are reproduced in every form, every expected output computed', { timeout: 600_000 }, async () => {
    const engine = await createEngine(name);
    const report = await runGolden({ folder, handlers: goldenHandlers, engine, system: 'osam' });
    expect(goldenFailures(report)).toEqual([]);
    expect(report.cases.length).toBeGreaterThanOrEqual(17);
    expect(engine.memory().arrays).toBe(0);
    await engine.dispose();
  });
});
