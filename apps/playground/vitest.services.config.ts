import { packageTests } from '../../vitest.base.js';

/** Tests with programs that are no npm packages: `scripts/checks.mjs` runs those whose program is there. */
export default packageTests({ include: ['test/services/**/*.test.ts'], testTimeout: 240_000 });
