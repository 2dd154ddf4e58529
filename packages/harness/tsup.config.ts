import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { packageBuild } from '../../tsup.base.js';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string) => JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Manifest;
const own = manifestOf('.');
const used = readdirSync('..').filter((folder) => `@palimpsest/${folder}` in own.dependencies);
const versions = Object.fromEntries(
  [own, ...used.map((folder) => manifestOf(`../${folder}`))].map(({ name, version }) => [name, version]),
);

export default packageBuild({
  // The program of cell processes lies beside the package's modules, which start it; pages import the controls alone.
  entry: {
    index: 'src/index.ts',
    controls: 'src/controls/mechanisms.ts',
    'cell-process': 'src/cells/cell-process.ts',
  },
  dts: { entry: { index: 'src/index.ts', controls: 'src/controls/mechanisms.ts' } },
  shims: true,
  define: { PACKAGE_VERSIONS: JSON.stringify(versions) },
  // The golden cases of every mechanism ship with the harness, so that `palimpsest parity` works anywhere.
  onSuccess: async () => {
    for (const folder of [...used, 'harness']) {
      const golden = `../${folder}/test/golden`;
      if (existsSync(golden)) cpSync(golden, `dist/golden/${folder}`, { recursive: true });
    }
    // So does the small language model of the quick form.
    cpSync('assets/pocket', 'dist/pocket', { recursive: true });
  },
});
