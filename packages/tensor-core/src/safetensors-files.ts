import { InputError } from './errors.js';
import {
  decodeSafetensors,
  headerLength,
  parseHeader,
  type SafeHeader,
  type SafeTensor,
  type SafeTensors,
  safetensorsChunks,
  tensorFromBuffer,
} from './safetensors.js';

// Node's file modules load on use, so that the package itself also loads in browsers.
const files = () => import('node:fs/promises');

function unreadable(path: string, error: unknown): InputError {
  const code = (error as { code?: string }).code;
  return new InputError(
    code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read (${code ?? error}).`,
  );
}

/** Reads a whole file. @throws InputError naming the file when it is missing, torn or foreign. */
export async function readSafetensors(path: string): Promise<SafeTensors> {
  const { readFile } = await files();
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  return decodeSafetensors(bytes, path);
}

/**
 * Writes a file under a temporary name and renames it, so that a reader sees the former file or the whole new one.
 * @param metadata free strings, stored in the header
 * @throws InputError for a tensor whose values do not fit it, or a path that cannot be written.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  await writeFileAtomically(path, safetensorsChunks(tensors, metadata));
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

type FileHandle = Awaited<ReturnType<Awaited<ReturnType<typeof files>>['open']>>;

/** An open file whose tensors are read one at a time; memory holds one tensor, not the file. Close it after use. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly header: SafeHeader,
    private readonly handle: FileHandle,
  ) {}

  /** Opens a file and reads its header. @throws InputError for a missing, torn or foreign file. */
  static async open(path: string): Promise<SafetensorsFile> {
    const { open } = await files();
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw unreadable(path, error);
    });
    try {
      const { size } = await handle.stat();
      const first = await readExactly(handle, 0, Math.min(8, size), path);
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
    return tensorFromBuffer(entry, bytes.buffer);
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

/** The open files of a model and, for every tensor, the file that holds it. */
export interface ShardedSafetensors {
  readonly files: readonly SafetensorsFile[];
  readonly of: ReadonlyMap<string, SafetensorsFile>;
}

/**
 * Opens a folder's `model.safetensors`, or the files that its `model.safetensors.index.json` lists.
 * @returns for every key the file that holds it; close each of `files` after use
 * @throws InputError naming the file or key that is missing.
 */
export async function openSharded(folder: string): Promise<ShardedSafetensors> {
  const { readFile } = await files();
  const { join } = await import('node:path');
  const indexPath = join(folder, 'model.safetensors.index.json');
  const text = await readFile(indexPath, 'utf8').catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return undefined;
    throw unreadable(indexPath, error);
  });
  if (text === undefined) {
    const file = await SafetensorsFile.open(join(folder, 'model.safetensors'));
    return { files: [file], of: new Map(file.keys().map((key) => [key, file])) };
  }
  const weightMap = parseIndex(text, indexPath);
  const opened = new Map<string, SafetensorsFile>();
  const of = new Map<string, SafetensorsFile>();
  try {
    for (const [key, name] of Object.entries(weightMap)) {
      const file = opened.get(name) ?? (await SafetensorsFile.open(join(folder, name)));
      opened.set(name, file);
      if (!file.shape(key))
        throw new InputError(`${indexPath} says that '${key}' is in ${name}, but it is not there.`);
      of.set(key, file);
    }
  } catch (error) {
    for (const file of opened.values()) await file.close();
    throw error;
  }
  return { files: [...opened.values()], of };
}

/** @throws InputError for anything else than a map from tensors to names of files in the same folder. */
function parseIndex(text: string, path: string): Record<string, string> {
  let weightMap: unknown;
  try {
    weightMap = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map;
  } catch {
    weightMap = undefined;
  }
  const isFileName = (name: unknown) => typeof name === 'string' && /^[^/\\]+\.safetensors$/.test(name);
  if (typeof weightMap !== 'object' || weightMap === null || !Object.values(weightMap).every(isFileName)) {
    throw new InputError(
      `${path} is not a safetensors index: its 'weight_map' does not map tensors to *.safetensors files beside it.`,
    );
  }
  return weightMap as Record<string, string>;
}
