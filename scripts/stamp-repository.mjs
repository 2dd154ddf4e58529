// Before a release, in a checkout that nobody keeps: writes into every package.json where its source is, which npm needs for
// provenance. The address is that of the checkout itself: `node scripts/stamp-repository.mjs <address>`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './run.mjs';
import { workspaces } from './workspaces.mjs';

const [address] = process.argv.slice(2);
if (!address?.startsWith('https://')) {
  console.error('Give the address of the repository, such as https://host/owner/name.');
  process.exit(2);
}
for (const { folder } of workspaces()) {
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const directory = relative(root, folder).replaceAll('\\', '/');
  manifest.repository = { type: 'git', url: `git+${address}.git`, directory };
  manifest.homepage = `${address}/tree/main/${directory}#readme`;
  manifest.bugs = `${address}/issues`;
  writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
}
