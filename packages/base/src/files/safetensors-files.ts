import { InputError } from '../errors.js';
import { FIRST_BYTES } from '../foreign-cause.js';
import { nodeModule } from '../node-modules.js';
import {
  decodeSafetensors,
  headerLength,
  parseHeader,
  type SafeHeader,
  type SafeTensor,
  type SafeTensors,
  safetensorsChunks,
  type TensorsToWrite,
  tensorFromBuffer,
} from '../safetensors.js';
import { readBytes, unreadable, writeFileAtomically } from './atomic-file.js';

/** Reads a whole file. @throws InputError naming the file when it is missing, torn or foreign. */
export async function readSafetensors(path: string): Promise<SafeTensors> {
  return decodeSafetensors(await readBytes(path), path);
}

/**
 * Writes a file under a temporary name and renames it, so that a reader sees the former file or the whole new one.
 * @param metadata free strings, stored in the header
 * @throws InputError for a tensor whose values do not fit it, or a path that cannot be written.
 */
export async function writeSafetensors(
  path: string,
  tensors: TensorsToWrite,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  await writeFileAtomically(path, safetensorsChunks(tensors, metadata));
}

type FileHandle = Awaited<ReturnType<typeof import('node:fs')['promises']['open']>>;

/** An open file whose tensors are read one at a time; memory holds one tensor, not the file. Close it after use. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly header: SafeHeader,
    private readonly handle: FileHandle,
  ) {}

  /** Opens a file and reads its header. @throws InputError for a missing, torn or foreign file. */
  static async open(path: string): Promise<SafetensorsFile> {
    const { open } = nodeModule('node:fs').promises;
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw unreadable(path, error);
    });
    try {
      const { size } = await handle.stat();
      const first = await readExactly(handle, 0, Math.min(FIRST_BYTES, size), path);
      const length = headerLength(first, size, path);
      const header = parseHeader(await readExactly(handle, 8, length, path), size, path);
      return new SafetensorsFile(path, header, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The free strings of the header. */
  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata;
  }

  /** Names of the tensors, in the order of the header. */
  keys(): string[] {
    return [...this.header.entries.keys()];
  }

  /** Shape of a tensor without reading it, or undefined. */
  shape(key: string): readonly number[] | undefined {
    return this.header.entries.get(key)?.shape;
  }

  /** Reads one tensor. @throws InputError naming file and key when it is not there. */
  async read(key: string): Promise<SafeTensor> {
    const entry = this.header.entries.get(key);
    if (!entry) throw new InputError(`${this.path} has no tensor '${key}'.`);
    const start = this.header.dataStart + entry.begin;
    const bytes = await readExactly(this.handle, start, entry.end - entry.begin, `${this.path}: '${key}'`);
    return tensorFromBuffer(entry, bytes.buffer, `${this.path}: '${key}'`);
  }

  /** Gives the file back to the system; reading afterwards fails. */
  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** Node reads at most 2^31 - 1 bytes at once. */
const MAX_READ = 2 ** 30;

/** Bytes of a file in a buffer of their own. */
async function readExactly(
  handle: FileHandle,
  position: number,
  length: number,
  source: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(MAX_READ, length - done), position + done);
    if (bytesRead === 0) {
      throw new InputError(`${source} is cut off: the file ended ${length - done} bytes too early.`);
    }
    done += bytesRead;
  }
  return bytes;
}
