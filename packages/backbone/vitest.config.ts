import { packageTests } from '../../vitest.base.js';

export default packageTests({ exclude: ['test/services/**'] });
