import { describe, expect, it } from 'vitest';
import { parityHandlers } from '../src/index.js';
import { caseNames, goldenCase, misses } from './golden-case.js';

describe('golden cases', () => {
  it.each(caseNames)('%s agrees within its tolerances', async (name) => {
    const testCase = goldenCase(name);
    const handler = parityHandlers.find(({ kind }) => kind === testCase.json.kind)!;
    const outputs = await handler.run(testCase, { engine: undefined });
    expect(outputs.length).toBeGreaterThan(2);
    expect(misses(outputs)).toEqual([]);
  });

  it('reports a wrong value, a wrong length and a NaN', () => {
    const output = { name: 'x', expected: [1, 2], atol: 1e-6, rtol: 0 };
    expect(misses([{ ...output, actual: [1, 2.1] }])).toHaveLength(1);
    expect(misses([{ ...output, actual: [1] }])).toHaveLength(1);
    expect(misses([{ ...output, actual: [1, Number.NaN] }])).toHaveLength(1);
    expect(misses([{ ...output, actual: [1, 2] }])).toEqual([]);
  });
});
