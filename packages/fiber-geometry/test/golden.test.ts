import { createEngine, type EngineName } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { parityHandlers } from '../src/index.js';
import { goldenCases, miss } from './golden.js';

const engines: EngineName[] = ['cpu', 'onnx'];

describe.each(engines)('golden cases on %s', (engineName) => {
  it.each(goldenCases().map((testCase) => [testCase.name, testCase] as const))(
    '%s',
    async (_name, testCase) => {
      const handler = parityHandlers.find(({ kind }) => kind === testCase.json.kind);
      expect(handler, `a handler for the kind '${String(testCase.json.kind)}'`).toBeDefined();
      const engine = await createEngine(engineName, { threads: 1 });
      const outputs = await handler!.run(testCase, { engine });
      expect(outputs.length).toBeGreaterThan(0);
      expect(outputs.map(miss).filter(Boolean)).toEqual([]);
      await engine.dispose();
    },
  );
});
