import { InputError } from '../errors.js';
import { nodeModule } from '../node-modules.js';

/**
 * Refuses what is no ordinary file: reading a pipe or a device can wait for ever, and nothing is heard meanwhile.
 * A missing file is left to the reading itself.
 * @throws InputError saying what stands there instead.
 */
export function requireRegularFile(path: string): void {
  const status = nodeModule('node:fs').statSync(path, { throwIfNoEntry: false });
  if (!status || status.isFile()) return;
  const what = status.isDirectory()
    ? 'a folder'
    : status.isFIFO()
      ? 'a pipe'
      : status.isSocket()
        ? 'a socket'
        : 'a device';
  const advice = status.isFIFO() ? '; write what comes out of it to a file first' : '';
  throw new InputError(`'${path}' is ${what}, but a file is needed${advice}.`);
}

/** The bytes of an ordinary file. @throws InputError for pipes and devices; the system's errors as they are. */
export function readRegularFile(path: string): Uint8Array {
  requireRegularFile(path);
  return nodeModule('node:fs').readFileSync(path);
}
