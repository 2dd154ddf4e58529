import { KakeyaError } from './errors.js';

/**
 * Writes beside the target, flushes to disk and renames. Whenever it is interrupted, `path` holds either the old bytes
 * or the new ones. The file system is loaded here so that everything else runs in a browser.
 */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const { open, rename, rm } = await import('node:fs/promises');
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new KakeyaError(
      `${path} could not be written (${reason(error)}); what it held before is unchanged.`,
    );
  }
}

/** The bytes of a file. Throws with its name when it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  const { readFile } = await import('node:fs/promises');
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new KakeyaError(`${path} could not be read (${reason(error)}).`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
