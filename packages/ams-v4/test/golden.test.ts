import { goldenFailures, runGolden } from '@palimpsest/base/golden';
import { createEngine, type EngineName } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const folder = new URL('./golden/', import.meta.url).pathname;

describe.each<EngineName>(['cpu', 'onnx'])('golden cases on %s', (name) => {
  it('meets every output of every case', async () => {
    const engine = await createEngine(name);
    const report = await runGolden({ folder, handlers: goldenHandlers, engine });
    await engine.dispose();
    expect(goldenFailures(report)).toEqual([]);
  }, 600_000);
});
