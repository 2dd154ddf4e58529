import { InputError } from '../errors.js';
import { nodeModule } from '../node-modules.js';
import { requireRegularFile } from './regular-file.js';
import { systemReason } from './system-error.js';

const files = () => nodeModule('node:fs').promises;

/** The refusal of a file that cannot be read: its path and the reason. */
export function unreadable(path: string, error: unknown): InputError {
  const code = (error as { code?: string }).code;
  return new InputError(
    code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read: ${systemReason(error)}.`,
  );
}

/** The bytes of a file. @throws InputError naming the file when it is missing or cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  requireRegularFile(path);
  const { readFile } = files();
  return readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

let writes = 0;
/** Age in milliseconds at which a temporary file of another machine counts as left behind. */
const ABANDONED = 3_600_000;

/**
 * Writes any file under a temporary name in the same folder, flushes it to disk and renames it. Temporary files of the same
 * name that a killed process left are removed.
 * @param contents one part, or several that follow each other
 * @throws InputError naming the file when it cannot be written; the former file is then untouched.
 */
export async function writeFileAtomically(
  path: string,
  contents: Uint8Array | string | readonly Uint8Array[],
): Promise<void> {
  const { open, rename, rm } = files();
  const { hostname } = nodeModule('node:os');
  writes += 1;
  const temporary = `${path}.${machine(hostname())}.${process.pid}-${writes}.tmp`;
  const parts = Array.isArray(contents)
    ? (contents as readonly Uint8Array[])
    : [contents as Uint8Array | string];
  try {
    const handle = await open(temporary, 'wx');
    try {
      for (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new InputError(`'${path}' cannot be written: ${systemReason(error)}.`);
  }
  await sweep(path, machine(hostname())).catch(() => undefined);
}

const machine = (hostname: string) => hostname.replace(/[^A-Za-z0-9-]/g, '_');

/** Removes temporary files of a path whose process is gone, or that another machine has long left alone. */
async function sweep(path: string, here: string): Promise<void> {
  const { readdir, rm, stat } = files();
  const { basename, dirname, join } = nodeModule('node:path');
  const start = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const [, place = here, pid] =
      (name.startsWith(start) && /^(?:([\w-]+)\.)?(\d+)[-.][a-z0-9]+\.tmp$/.exec(name.slice(start.length))) ||
      [];
    if (pid === undefined) continue;
    const file = join(dirname(path), name);
    const isLeft =
      place === here ? !isRunning(Number(pid)) : Date.now() - (await stat(file)).mtimeMs > ABANDONED;
    if (isLeft) await rm(file, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}
