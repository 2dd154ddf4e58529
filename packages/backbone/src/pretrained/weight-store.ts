import { nodeModule, PalimpsestError, systemReason } from '@palimpsest/base';
import { StoredArray, type StoredDType } from '@palimpsest/tensor-core';
import type { FileHandle } from './weight-files.js';

const disk = () => nodeModule('node:fs').promises;

const PREFIX = 'palimpsest-weights-';
/** Arrays begin at pages of memory. */
const ALIGNMENT = 4096;

/** Where weights are written that are not used as their files have them. */
const storeRoot = () => process.env.PALIMPSEST_CACHE || nodeModule('node:os').tmpdir();

const removeAtExit = new Set<string>();

function removeNow(): void {
  for (const folder of removeAtExit) {
    try {
      nodeModule('node:fs').rmSync(folder, { recursive: true, force: true });
    } catch {
      // Windows keeps files that are still mapped; the next process removes them.
    }
  }
}

/**
 * A file for weights in the form that the runtime reads, in a folder of its own in `PALIMPSEST_CACHE`, else the system's
 * folder for temporary files. It goes with `dispose`, at the latest with the process; what a killed process left is removed by
 * the next one.
 */
export class WeightStore {
  #end = 0;

  private constructor(
    readonly folder: string,
    /** The file. */
    readonly path: string,
    private readonly file: FileHandle,
  ) {
    removeAtExit.add(folder);
    // One listener for all: Node warns of more than ten.
    if (removeAtExit.size === 1) process.once('exit', removeNow);
  }

  /** @throws PalimpsestError when the folder cannot be made. */
  static async create(): Promise<WeightStore> {
    const { join } = nodeModule('node:path');
    const root = storeRoot();
    try {
      await removeAbandoned(root);
      const folder = await disk().mkdtemp(join(root, `${PREFIX}${process.pid}-`));
      const path = join(folder, 'weights.data');
      return new WeightStore(folder, path, await disk().open(path, 'wx'));
    } catch (error) {
      throw failure(root, error);
    }
  }

  /** Room for an array, to be filled by `write`. */
  reserve(shape: readonly number[], dtype: StoredDType): StoredArray {
    const array = new StoredArray(this.path, this.#end, shape, dtype);
    this.#end = Math.ceil((this.#end + array.byteLength) / ALIGNMENT) * ALIGNMENT;
    return array;
  }

  /** @param from bytes behind the beginning of the array. @throws PalimpsestError when the disk is full. */
  async write(array: StoredArray, from: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const position = array.offset + from + done;
        const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, position);
        done += bytesWritten;
      }
    } catch (error) {
      throw failure(this.folder, error);
    }
  }

  /**
   * Takes a file of weights that were written before into the folder, by a link where the disk has such, so that it stays for
   * this process when others remove it.
   * @returns its path here
   */
  async adopt(file: string): Promise<string> {
    const path = nodeModule('node:path').join(this.folder, 'adopted.data');
    await disk()
      .link(file, path)
      .catch(() => disk().copyFile(file, path));
    return path;
  }

  /** No more is written. */
  async finish(): Promise<void> {
    await this.file.close();
  }

  /** Removes the files; no engine may use them any more. */
  async dispose(): Promise<void> {
    removeAtExit.delete(this.folder);
    if (removeAtExit.size === 0) process.off('exit', removeNow);
    await this.file.close().catch(() => undefined);
    // As at the exit.
    await disk()
      .rm(this.folder, { recursive: true, force: true })
      .catch(() => undefined);
  }
}

const failure = (place: string, error: unknown) =>
  new PalimpsestError(
    `The weights cannot be written to ${place}: ${systemReason(error)}. Name a folder with more room by the environment variable PALIMPSEST_CACHE, or take fewer bits.`,
  );

/** Removes the folders of processes that are gone. */
async function removeAbandoned(root: string): Promise<void> {
  const { join } = nodeModule('node:path');
  for (const name of await disk().readdir(root)) {
    const pid = Number(/^palimpsest-weights-(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    await disk()
      .rm(join(root, name), { recursive: true, force: true })
      .catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of somebody else's.
    return (error as { code?: string }).code === 'EPERM';
  }
}
