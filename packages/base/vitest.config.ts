import { packageTests } from '../../vitest.base.js';

// Tests of memory collect garbage before they measure.
export default packageTests({ pool: 'forks', execArgv: ['--expose-gc'] });
