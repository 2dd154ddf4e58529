import type { GoldenHandler } from '@palimpsest/base/golden';
import { type AccountingParams, accounting } from '../set/accounting.js';

const GIVEN = ['n', 'd', 'dEff', 'K', 'dRes'];

/** Byte formulas, JSON only. */
export const accountingCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'accounting',
  given: GIVEN.map((member) => `expected/rows/*/${member}`),
  run: (testCase) => {
    const { rows } = testCase.member('expected', { rows: [] as AccountingParams[] });
    return {
      'expected/rows': rows.map((row) => {
        const { originalBytes, skeletonBytes, entryBytesReference, compressedBytes, ratio, breakEvenN } =
          accounting(row);
        return { originalBytes, skeletonBytes, entryBytesReference, compressedBytes, ratio, breakEvenN };
      }),
    };
  },
};
