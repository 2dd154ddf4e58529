import { packageTests } from '../../vitest.base.js';

export default packageTests({ testTimeout: 300_000, hookTimeout: 300_000 });
