import { caseFailures, findCases } from '@palimpsest/base/golden';
import { describe, expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';
import { engines, withEngine } from './helpers.js';

const cases = findCases(new URL('golden', import.meta.url).pathname);

describe.each(engines)('on %s', (engineName) => {
  it.each(cases)('$name', async (found) => {
    const failures = await withEngine(engineName, (engine) =>
      caseFailures(goldenHandlers, found.load(), engine),
    );
    expect(failures).toEqual([]);
  });
});
