import { readFileSync } from 'node:fs';
import { packageBuild } from '../../tsup.base.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

export default packageBuild({
  entry: ['src/main.ts'],
  format: ['esm'],
  dts: false,
  define: { CLI_VERSION: JSON.stringify(version) },
});
