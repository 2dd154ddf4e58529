import { nodeModule } from '@palimpsest/base';

/** Where the former version of a folder stands while the new one is put in its place. */
const former = (folder: string) => `${folder}.previous`;
const unfinished = (folder: string) => `${folder}.partial`;

/**
 * Writes the files of a folder so that at any moment the former version or the whole new one can be read, even when the
 * process is killed: they are written and flushed under `<folder>.partial`, the old folder steps aside to
 * `<folder>.previous`, the new one takes its name. `currentFolder` finds the one that counts.
 */
export async function writeFolderAtomically(
  folder: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  const { promises: fs, existsSync } = nodeModule('node:fs');
  const { join, dirname } = nodeModule('node:path');
  const temporary = unfinished(folder);
  await fs.rm(temporary, { recursive: true, force: true });
  await fs.mkdir(temporary, { recursive: true });
  for (const [name, contents] of Object.entries(files)) await writeFlushed(join(temporary, name), contents);
  await flushFolder(temporary);
  if (existsSync(folder)) {
    await fs.rm(former(folder), { recursive: true, force: true });
    await fs.rename(folder, former(folder));
  }
  await fs.rename(temporary, folder);
  await flushFolder(dirname(folder));
  await fs.rm(former(folder), { recursive: true, force: true });
}

/** The folder to read: the one named, or its former version when a write was cut off between the two renames. */
export function currentFolder(folder: string): string {
  const { existsSync } = nodeModule('node:fs');
  return !existsSync(folder) && existsSync(former(folder)) ? former(folder) : folder;
}

/**
 * Ends what a process that is gone left half done: a former version without its successor takes its name back, and what
 * else stands beside the folder is removed, an unfinished version as a former one whose removal was cut off.
 */
export function settleFolder(folder: string): void {
  const { renameSync, rmSync } = nodeModule('node:fs');
  if (currentFolder(folder) === former(folder)) renameSync(former(folder), folder);
  for (const left of [former(folder), unfinished(folder)]) rmSync(left, { recursive: true, force: true });
}

async function writeFlushed(path: string, contents: Uint8Array | string): Promise<void> {
  const handle = await nodeModule('node:fs').promises.open(path, 'w');
  try {
    await handle.writeFile(contents);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Flushes the names in a folder to disk, where the system can (Windows cannot). */
async function flushFolder(folder: string): Promise<void> {
  if (globalThis.process.platform === 'win32') return;
  const handle = await nodeModule('node:fs').promises.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
