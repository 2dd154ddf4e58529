import { packageTests } from '../../vitest.base.js';

/** Tests that not every Node.js can run: `scripts/checks.mjs` runs them where it can, and says where not. */
export default packageTests({ include: ['test/services/**/*.test.ts'] });
