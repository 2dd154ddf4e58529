import { goldenFailures, runGolden } from '@palimpsest/base/golden';
import { expect, it } from 'vitest';
import { viabilityHandlers } from '../../src/viability/golden-case.js';

it('sessions, corpora, scores, intervals and the tokenizer are those of the golden files', async () => {
  const folder = new URL('../golden/', import.meta.url).pathname;
  const report = await runGolden({ folder, handlers: viabilityHandlers });
  expect(goldenFailures(report)).toEqual([]);
});
