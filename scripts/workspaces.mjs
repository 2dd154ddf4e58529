import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

/** Every workspace of `packages/` and `apps/`, or of other groups: its folder and manifest. */
export function workspaces(groups = ['packages', 'apps']) {
  return groups.flatMap((group) =>
    readdirSync(join(root, group), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(root, group, entry.name, 'package.json')))
      .map((entry) => {
        const folder = join(root, group, entry.name);
        return { folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) };
      }),
  );
}
