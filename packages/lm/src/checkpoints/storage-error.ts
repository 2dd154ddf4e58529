import { isSystemError, systemReason } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';

/**
 * What the system refused, as one sentence with the path. Errors that are not the system's are given back as they are.
 * @param what was tried, as in 'The checkpoint cannot be written to'.
 */
export function storageError(what: string, path: string, error: unknown, advice: string): unknown {
  if (!isSystemError(error)) return error;
  return new InputError(`${what} '${path}': ${systemReason(error)}; ${advice}.`);
}
