// `prepack` and `postpack` of every package: `npm pack` knows neither `workspace:` nor `catalog:`, so what the tarball says of
// its dependencies is written out before packing, and the package.json of the repository comes back afterwards.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from './run.mjs';
import { workspaces } from './workspaces.mjs';

const MANIFEST = 'package.json';
const KEPT = 'package.json.kept';
const SECTIONS = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'];

function restore() {
  if (existsSync(KEPT)) renameSync(KEPT, MANIFEST);
}

function writeOut() {
  restore(); // After a packing that was killed.
  const text = readFileSync(MANIFEST, 'utf8');
  const { catalog } = parse(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8'));
  const versions = Object.fromEntries(workspaces().map(({ manifest }) => [manifest.name, manifest.version]));
  const versionOf = (name, range) => {
    if (range === 'catalog:') return catalog[name];
    if (range === 'workspace:*') return versions[name];
    return range;
  };
  const manifest = JSON.parse(text);
  for (const section of SECTIONS) {
    for (const [name, range] of Object.entries(manifest[section] ?? {})) {
      const version = versionOf(name, range);
      if (typeof version !== 'string' || /^(workspace|catalog):/.test(version))
        throw new Error(`${manifest.name}: what is '${range}' of ${name}?`);
      manifest[section][name] = version;
    }
  }
  writeFileSync(KEPT, text);
  writeFileSync(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
}

if (process.argv.includes('--restore')) restore();
else writeOut();
