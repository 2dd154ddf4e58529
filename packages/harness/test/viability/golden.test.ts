import { goldenFailures, runGolden } from '@palimpsest/base/golden';
import { expect, it } from 'vitest';
import { viabilityCase } from '../../src/viability/golden-case.js';

it('sessions, corpora, scores and intervals are those of the golden file', async () => {
  const folder = new URL('../golden/', import.meta.url).pathname;
  const report = await runGolden({ folder, handlers: [viabilityCase] });
  expect(goldenFailures(report)).toEqual([]);
});
