import { packageTests } from '../../vitest.base.js';

export default { ...packageTests(), define: { PACKAGE_VERSIONS: '{"@palimpsest/harness":"test"}' } };
