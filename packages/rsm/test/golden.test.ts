import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { parityHandlers } from '../src/index.js';
import { goldenCase, goldenNames, toleranceUsed } from './support/golden.js';

describe.each(['cpu', 'onnx'] as const)('golden cases on %s', async (engineName) => {
  const engine = await createEngine(engineName);
  for (const name of goldenNames()) {
    it(name, async () => {
      const testCase = goldenCase(name);
      const handler = parityHandlers.find(({ kind }) => kind === testCase.json.kind);
      expect(handler, `a handler for '${String(testCase.json.kind)}'`).toBeDefined();
      const outputs = await handler!.run(testCase, { engine });
      expect(outputs.length).toBeGreaterThan(0);
      const missed = outputs
        .map((output) => ({ name: output.name, used: toleranceUsed(output) }))
        .filter(({ used }) => !(used <= 1));
      expect(missed).toEqual([]);
    });
  }
});
