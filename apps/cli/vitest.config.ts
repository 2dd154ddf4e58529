import { packageTests } from '../../vitest.base.js';

export default { ...packageTests({ exclude: ['test/services/**'] }), define: { CLI_VERSION: '"0.0.0"' } };
