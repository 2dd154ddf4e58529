import { packageBuild } from '../../tsup.base.js';

export default packageBuild({
  entry: {
    index: 'src/index.ts',
    golden: 'src/golden/index.ts',
    mechanism: 'src/mechanism.ts',
    // The program of processes that judge members lies beside the modules, which start it.
    'population-process': 'src/evolution/population/population-process.ts',
  },
  dts: { entry: { index: 'src/index.ts', golden: 'src/golden/index.ts', mechanism: 'src/mechanism.ts' } },
});
