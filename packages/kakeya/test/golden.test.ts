import { caseFailures, findCases } from '@palimpsest/base/golden';
import { expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const cases = findCases(new URL('golden', import.meta.url).pathname);

it('has a case of every kind', () => {
  const kinds = new Set(cases.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(
    goldenHandlers.flatMap((part) => ('kind' in part ? part.kind : [])).sort(),
  );
});

it.each(cases)('$name stays within its tolerances', async (found) => {
  expect(await caseFailures(goldenHandlers, found.load())).toEqual([]);
});
