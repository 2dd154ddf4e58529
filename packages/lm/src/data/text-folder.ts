import { InputError, nodeModule, systemReason } from '@palimpsest/base';

/** Copies and leftovers of other programs, which are no texts of their own. */
const LEFTOVER = /^(\._.*|\.ipynb_checkpoints|__MACOSX)$/;

/**
 * The files of a folder and of its subfolders whose names match, in the order of their paths. Symbolic links count as what
 * they point to; copies that notebooks and macOS leave (`.ipynb_checkpoints`, `._*`) do not count.
 * @throws InputError for a link that points to nothing, or a folder that cannot be read.
 */
export function filesOfFolder(folder: string, pattern: RegExp, above: readonly string[] = []): string[] {
  const { join } = nodeModule('node:path');
  const real = readable(folder, (path) => nodeModule('node:fs').realpathSync(path));
  // A link to a folder that it stands in leads round in a circle.
  if (above.includes(real)) return [];
  return readable(folder, (path) => nodeModule('node:fs').readdirSync(path))
    .filter((name) => !LEFTOVER.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      const status = readable(path, (at) => nodeModule('node:fs').statSync(at, { throwIfNoEntry: false }));
      if (status?.isDirectory()) return filesOfFolder(path, pattern, [...above, real]);
      if (!pattern.test(name)) return [];
      if (!status) throw new InputError(`'${path}' is a link that points to nothing; mend or remove it.`);
      return status.isFile() ? [path] : [];
    })
    .sort((a, b) => (a < b ? -1 : 1));
}

/** What the system says of a path. @throws InputError naming the path and why it says nothing. */
export function readable<T>(path: string, read: (path: string) => T): T {
  try {
    return read(path);
  } catch (error) {
    throw new InputError(`'${path}' cannot be read: ${systemReason(error)}.`);
  }
}
