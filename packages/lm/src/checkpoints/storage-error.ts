import { InputError } from '@palimpsest/tensor-core';

const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: 'that is not permitted there',
  EPERM: 'that is not permitted there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'the file would be larger than allowed',
  ENAMETOOLONG: 'the name is too long',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'something else stands there',
  EISDIR: 'a folder stands there',
  EIO: 'the disk reports an error',
  EMFILE: 'too many files are open',
};

/**
 * What the system refused, as one sentence with the path. Errors that are not the system's are given back as they are.
 * @param what was tried, as in 'The checkpoint cannot be written to'.
 */
export function storageError(what: string, path: string, error: unknown, advice: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || !/^E[A-Z]+$/.test(code)) return error;
  return new InputError(`${what} '${path}': ${MEANINGS[code] ?? `the system says ${code}`}; ${advice}.`);
}
