import { InputError } from '../errors.js';
import { requireRegularFile } from './regular-file.js';

// Node's file modules load on use, so that the package itself also loads in browsers.
const files = () => import('node:fs/promises');

/** The refusal of a file that cannot be read: its path and the reason. */
export function unreadable(path: string, error: unknown): InputError {
  const code = (error as { code?: string }).code;
  return new InputError(
    code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read (${code ?? error}).`,
  );
}

/** The bytes of a file. @throws InputError naming the file when it is missing or cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  requireRegularFile(path);
  const { readFile } = await files();
  return readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

let writes = 0;

/**
 * Writes any file under a temporary name in the same folder, flushes it to disk and renames it.
 * @param contents one part, or several that follow each other
 * @throws InputError naming the file when it cannot be written; the former file is then untouched.
 */
export async function writeFileAtomically(
  path: string,
  contents: Uint8Array | string | readonly Uint8Array[],
): Promise<void> {
  const { open, rename, rm } = await files();
  writes += 1;
  const temporary = `${path}.${process.pid}-${writes}.tmp`;
  const parts = Array.isArray(contents)
    ? (contents as readonly Uint8Array[])
    : [contents as Uint8Array | string];
  try {
    const handle = await open(temporary, 'w');
    try {
      for (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new InputError(`${path} cannot be written (${(error as { code?: string }).code ?? error}).`);
  }
}
