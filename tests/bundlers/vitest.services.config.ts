import { packageTests } from '../../vitest.base.js';

/** Run by `scripts/checks.mjs` where a browser is. */
export default packageTests({ include: ['test/services/**/*.test.ts'], testTimeout: 300_000 });
