import { caseFailures, findCases } from '@palimpsest/base/golden';
import { createEngine, type EngineName } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const cases = findCases(new URL('golden', import.meta.url).pathname);
const engines: EngineName[] = ['cpu', 'onnx'];

describe.each(engines)('golden cases on %s', (engineName) => {
  it.each(cases)('$name', async (found) => {
    const engine = await createEngine(engineName, { threads: 1 });
    expect(await caseFailures(goldenHandlers, found.load(), engine)).toEqual([]);
    await engine.dispose();
  });
});
