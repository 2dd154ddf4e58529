import { packageTests } from '../../vitest.base.js';

export default packageTests({ setupFiles: ['test/support/fixed-seed.ts'] });
