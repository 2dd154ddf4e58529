const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'that is not permitted there',
  EPERM: 'that is not permitted there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'the file would be larger than allowed',
  ENAMETOOLONG: 'the name is too long',
  ENOTDIR: 'a part of the path is a file',
  ENOTEMPTY: 'the folder there is not empty',
  EEXIST: 'something else stands there',
  EISDIR: 'a folder stands there',
  EIO: 'the disk reports an error',
  ELOOP: 'symbolic links lead in a circle',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};

/** Whether an error is the system's refusal, as of a file. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return /^E(?:[A-Z0-9]+|RR_FS_\w+)$/.test(String((error as NodeJS.ErrnoException | undefined)?.code));
}

/** Why the system refused, as the end of a sentence; the message of any other error, without a full stop. */
export function systemReason(error: unknown): string {
  if (!isSystemError(error)) return String((error as Error | undefined)?.message ?? error).replace(/\.$/, '');
  return MEANINGS[error.code!] ?? `the system says ${error.code}`;
}
