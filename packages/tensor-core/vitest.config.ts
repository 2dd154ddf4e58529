import { packageTests } from '../../vitest.base.js';

// Tests of memory compare resident sizes after a collection.
export default packageTests({ pool: 'forks', execArgv: ['--expose-gc'] });
