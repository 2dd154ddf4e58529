import { packageTests } from '../../vitest.base.js';

export default { ...packageTests(), define: { CLI_VERSION: '"0.0.0"' } };
