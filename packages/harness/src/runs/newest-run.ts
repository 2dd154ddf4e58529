import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The run in a folder of runs whose newest checkpoint was written last.
 * @returns its path, or nothing when the folder is missing or holds no run
 */
export function newestRun(folder: string): string | undefined {
  let newest: { readonly path: string; readonly time: number } | undefined;
  for (const name of isFolder(folder) ? readdirSync(folder) : []) {
    const path = join(folder, name);
    // What lies between the runs, such as a file manager's own notes, is no folder; a link may lead to one.
    if (!isFolder(path)) continue;
    const status = statSync(join(path, 'latest', 'config.json'), { throwIfNoEntry: false });
    if (status && (newest === undefined || status.mtimeMs > newest.time))
      newest = { path, time: status.mtimeMs };
  }
  return newest?.path;
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
