import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import type { CellProvenance } from '../cells/cell.js';

/** Versions of the packages that this build was made with, written in by the build. */
declare const PACKAGE_VERSIONS: Record<string, string>;

/** Versions of every Palimpsest package that this one was built with. */
export function packageVersions(): Record<string, string> {
  return { ...PACKAGE_VERSIONS };
}

/** No cell runs models that are trained already. */
const ASIDE = '@palimpsest/models';

/**
 * Versions of the packages that take part in cells: what their keys hold, so that results of an earlier version are computed
 * again. A package that no cell runs would make all of them old with each of its releases.
 */
export function cellVersions(): Record<string, string> {
  return Object.fromEntries(Object.entries(PACKAGE_VERSIONS).filter(([name]) => name !== ASIDE));
}

/** Describes the machine, the versions and the engine behind a cell. */
export function describeCellProvenance(
  { name, runtime, device, threads }: CellProvenance['engine'],
  versions: Readonly<Record<string, string>> = cellVersions(),
): CellProvenance {
  const processors = cpus();
  const revision = currentRevision();
  return {
    versions: { ...versions },
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: Math.max(1, processors.length),
    memoryBytes: totalmem(),
    engine: { name, runtime, device, threads },
    revision,
  };
}

/** The commit of the working folder; undefined outside a repository or without git. */
function currentRevision(): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}
