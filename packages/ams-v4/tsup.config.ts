import { packageBuild } from '../../tsup.base.js';

export default packageBuild({
  entry: { index: 'src/index.ts', golden: 'src/golden/index.ts', mechanism: 'src/mechanism.ts' },
});
