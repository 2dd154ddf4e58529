import { packageTests } from '../../vitest.base.js';

export default {
  ...packageTests({ exclude: ['test/services/**'] }),
  define: { PACKAGE_VERSIONS: '{"@palimpsest/harness":"test","@palimpsest/models":"test"}' },
};
