import { foreignCause, InputError, readRegularFile, systemReason } from '@palimpsest/base';

/**
 * The text of a file in UTF-8; a byte order mark before it is no part of it.
 * @throws InputError naming the file and the place when it is no regular file, no UTF-8, cut off inside a character, UTF-16
 * or binary (it holds NULs), or a pointer of Git LFS.
 */
export function readTextFile(file: string): string {
  const bytes = readFile(file);
  const cause = bytes[0] === 0x76 ? foreignCause(bytes.subarray(0, 512)) : undefined;
  if (cause !== undefined) throw new InputError(`The file '${file}' ${cause}.`);
  const packed = packedBy(bytes);
  if (packed !== undefined) {
    throw new InputError(
      `The file '${file}' is ${packed}, but texts are UTF-8; take the text out of it first.`,
    );
  }
  return decodeText(bytes, `The file '${file}'`);
}

/**
 * Bytes in UTF-8 as a text, without the byte order mark before it.
 * @param what begins messages, as in "The file 'text.txt'"
 * @throws InputError naming the place for what is no UTF-8, cut off inside a character, UTF-16 or binary.
 */
export function decodeText(bytes: Uint8Array, what: string): string {
  const isMarked = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isMarked) throw new InputError(`${what} is UTF-16; convert it to UTF-8, for example with iconv.`);
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    throw new InputError(
      `${what} has a NUL at byte ${zero}, as UTF-16 without a mark and binary files have it; texts are UTF-8: convert it, for example with iconv -f UTF-16LE -t UTF-8.`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${what} ${whatIsWrong(bytes)}`);
  }
}

/** First bytes of files that hold texts in a form of their own. */
const PACKED: readonly (readonly [what: string, ...bytes: number[]])[] = [
  ['compressed by gzip', 0x1f, 0x8b],
  ['compressed by zstd', 0x28, 0xb5, 0x2f, 0xfd],
  ['compressed by xz', 0xfd, 0x37, 0x7a, 0x58, 0x5a],
  ['compressed by bzip2', 0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59],
  ['a zip archive or a document in one', 0x50, 0x4b, 0x03, 0x04],
  ['a PDF', 0x25, 0x50, 0x44, 0x46, 0x2d],
];

const packedBy = (bytes: Uint8Array): string | undefined =>
  PACKED.find(([, ...first]) => first.every((byte, index) => bytes[index] === byte))?.[0];

/** The bytes of a file. @throws InputError for a folder, a pipe, a device, or what cannot be read. */
function readFile(file: string): Uint8Array {
  try {
    return readRegularFile(file);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`The file '${file}' cannot be read: ${systemReason(error)}.`);
  }
}

/** Where bytes stop being UTF-8, and what to do. */
function whatIsWrong(bytes: Uint8Array): string {
  const valid = validPrefix(bytes);
  if (valid === bytes.length) {
    const start = bytes.findLastIndex((byte) => byte >= 0xc0);
    return `ends inside a character, which begins at byte ${start}: it was cut off; leave out the last ${bytes.length - start} bytes, or take the whole file.`;
  }
  const line = bytes.subarray(0, valid).reduce((count, byte) => count + (byte === 10 ? 1 : 0), 1);
  return `is not UTF-8 text: byte ${valid}, in line ${line}, begins no character; convert it, for example with iconv.`;
}

/** How many bytes stand before the first that cannot follow them in UTF-8; an unfinished character at the end can. */
function validPrefix(bytes: Uint8Array): number {
  const isValid = (length: number) => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let [good, bad] = [0, bytes.length + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (isValid(middle)) good = middle;
    else bad = middle;
  }
  return good;
}
