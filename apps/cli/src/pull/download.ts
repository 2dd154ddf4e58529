import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError, PalimpsestError, systemReason } from '@palimpsest/base';
import { FolderLock } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { authorization, fileUrl, type HubFile, type HubPlace, reasonOf, refusal } from './hub.js';

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** Called with the bytes of all files that are there. */
  readonly onProgress: (bytes: number, path: string) => void;
  /** Milliseconds before a broken connection is tried again, growing with every try. Default 1000. */
  readonly pause?: number;
}

/** Two processes would write into each other's files. */
const LOCK = {
  file: 'pull.lock',
  use: 'being downloaded into',
  advice: 'wait for it, or choose another folder (--out)',
};

/** Tries of a file that fail without bringing a byte before it is given up. */
const TRIES = 5;

/**
 * Fetches files into a folder, which appears when all of them are there and have their checksums. Until then they lie beside
 * it in `<folder>.partial`, from where another call goes on.
 * @throws InputError when the folder is there already, the hub refuses, or a checksum is wrong; PalimpsestError when the
 * connection stays broken or the disk is full.
 */
export async function downloadInto(
  folder: string,
  files: readonly HubFile[],
  place: HubPlace,
  options: DownloadOptions,
): Promise<void> {
  const partial = `${folder}.partial`;
  try {
    if (await sizeAt(folder)) {
      throw new InputError(
        `There is something at ${folder} already; remove it, or give another folder with --out.`,
      );
    }
    await mkdir(partial, { recursive: true });
    const lock = FolderLock.claim(partial, LOCK);
    try {
      await downloadAll(partial, files, place, options);
      await removeOthers(partial, files);
    } finally {
      lock.release();
    }
    await rename(partial, folder);
  } catch (error) {
    if (!isSystemError(error) || options.signal.aborted) throw error;
    throw new PalimpsestError(
      `${partial} cannot be written: ${systemReason(error)}. What is there is kept; the same command goes on.`,
    );
  }
}

async function downloadAll(
  partial: string,
  files: readonly HubFile[],
  place: HubPlace,
  options: DownloadOptions,
): Promise<void> {
  let before = 0;
  for (const file of files) {
    const onBytes = (bytes: number) => options.onProgress(before + bytes, file.path);
    await downloadFile(join(partial, file.path), file, place, { ...options, onBytes });
    before += file.size;
    options.onProgress(before, file.path);
  }
}

/** Removes what a call for another revision or repository has left: it would be taken for a part of this one. */
async function removeOthers(partial: string, files: readonly HubFile[]): Promise<void> {
  const wanted = new Set([LOCK.file, ...files.map(({ path }) => path)]);
  for (const name of await readdir(partial)) {
    if (!wanted.has(name)) await rm(join(partial, name), { recursive: true, force: true });
  }
}

type FileOptions = DownloadOptions & { readonly onBytes: (bytes: number) => void };

async function downloadFile(
  path: string,
  file: HubFile,
  place: HubPlace,
  options: FileOptions,
): Promise<void> {
  if ((await sizeAt(path)) === file.size && (await hasChecksum(path, file))) return;
  // The name has the checksum, so that another version of the file is not added to this one.
  const part = `${path}.${file.checksum.hex.slice(0, 12)}.part`;
  const handle = await open(part, 'a+');
  try {
    await fill(handle, file, place, options);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (!(await hasChecksum(part, file))) {
    await rm(part, { force: true });
    throw new InputError(
      `${fileUrl(place, file)} gave something else than the hub says: the checksum of ${file.path} is wrong. It was removed; try again.`,
    );
  }
  await rename(part, path);
}

/** Adds what a file lacks, over as many connections as it takes. */
async function fill(
  handle: FileHandle,
  file: HubFile,
  place: HubPlace,
  { signal, pause = 1000, onBytes }: FileOptions,
): Promise<void> {
  let { size } = await handle.stat();
  if (size > file.size) {
    await handle.truncate(0);
    size = 0;
  }
  for (let failures = 0; size < file.size; ) {
    const start = size;
    try {
      size = await append(handle, size, file, place, signal, onBytes);
      if (size > start) failures = 0;
      else throw new Error('the connection gave nothing');
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof InputError || isSystemError(error)) throw error;
      size = (await handle.stat()).size;
      failures = size > start ? 0 : failures + 1;
      if (failures >= TRIES) {
        throw new PalimpsestError(
          `The connection to ${place.endpoint} broke: ${reasonOf(error)}. What is there is kept; the same command goes on.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pause * failures));
    }
  }
}

/** One request for the rest of a file. @returns the size after it */
async function append(
  handle: FileHandle,
  from: number,
  file: HubFile,
  place: HubPlace,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const range = from > 0 ? { range: `bytes=${from}-` } : {};
  const response = await fetch(fileUrl(place, file), {
    headers: { ...authorization(place), ...range, 'accept-encoding': 'identity' },
    signal,
  });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    if (response.status >= 500 || response.status === 429) throw new Error(`status ${response.status}`);
    throw new InputError(refusal(response.status, place));
  }
  let size = from;
  // A server that knows no ranges begins at the beginning.
  if (response.status !== 206 && from > 0) {
    await handle.truncate(0);
    size = 0;
  }
  for await (const chunk of response.body) {
    const bytes = chunk.subarray(0, file.size - size);
    await handle.appendFile(bytes);
    size += bytes.length;
    onBytes(size);
    if (size === file.size) break;
  }
  return size;
}

async function hasChecksum(path: string, { checksum, size }: HubFile): Promise<boolean> {
  const hash: Hash = createHash(checksum.algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (checksum.algorithm === 'git') hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex') === checksum.hex;
}

/** Bytes of what is at a path, if there is something. */
async function sizeAt(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && Math.max(found.size, 1);
}
