import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The parts of a package.json that the repository's tests read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly bin?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
}

export interface Workspace {
  readonly folder: string;
  readonly manifest: Manifest;
}

export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Workspaces below `group` ('packages' or 'apps') of a repository, in alphabetical order. */
export function workspacesOf(group: 'packages' | 'apps', root = repositoryRoot): Workspace[] {
  const folder = join(root, group);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, 'package.json')))
    .map((path) => ({
      folder: path,
      manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest,
    }));
}

/** Dependencies that an installed package brings along, of all kinds. */
export function runtimeDependencies({ manifest }: Workspace): string[] {
  return Object.keys({
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.peerDependencies,
  });
}
