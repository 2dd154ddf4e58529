import { packageBuild } from '../../tsup.base.js';

export default packageBuild({
  entry: { index: 'src/index.ts', facts: 'src/facts.ts' },
  esbuildOptions(options, { format }) {
    if (format !== 'cjs') return;
    // CommonJS has no `import.meta`; the shims of tsup would bring modules of Node.js into the files for pages.
    options.define = { ...options.define, 'import.meta.url': 'importMetaUrl' };
    options.banner = { js: "const importMetaUrl = require('url').pathToFileURL(__filename).href;" };
  },
});
