import { packageTests } from './vitest.base.js';

/** Tests of the repository as a whole; every package has its own project. */
export default packageTests({ include: ['tests/*.test.ts'], testTimeout: 300_000, hookTimeout: 600_000 });
