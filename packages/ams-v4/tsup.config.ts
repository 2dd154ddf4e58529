import { packageBuild } from '../../tsup.base.js';

export default packageBuild({
  entry: {
    index: 'src/index.ts',
    golden: 'src/golden/index.ts',
    mechanism: 'src/mechanism.ts',
    // Files of their own, between which `#mcp` chooses at the user's: see the package's "imports".
    'mcp-node': 'src/mcp/serve.ts',
    'mcp-nowhere': 'src/mcp/serve-nowhere.ts',
  },
  dts: { entry: { index: 'src/index.ts', golden: 'src/golden/index.ts', mechanism: 'src/mechanism.ts' } },
  external: ['#mcp'],
});
