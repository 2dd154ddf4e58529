import { InputError } from './errors.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  headerLength,
  parseHeader,
  type SafeHeader,
  type SafeTensor,
  type SafeTensors,
  tensorFromBytes,
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

/** Writes a file under a temporary name and renames it, so that a reader sees the former file or the whole new one. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  await writeFileAtomically(path, encodeSafetensors(tensors, metadata));
}

/** Writes any file under a temporary name, flushes it to disk and renames it. */
export async function writeFileAtomically(path: string, contents: Uint8Array | string): Promise<void> {
  const { open, rename, rm } = await files();
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A file, or several with an index, whose tensors are read one at a time; memory holds one tensor, not the file. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly header: SafeHeader,
    private readonly handle: Awaited<ReturnType<Awaited<ReturnType<typeof files>>['open']>>,
  ) {}

  /** Opens a file and reads its header. @throws InputError for a missing, torn or foreign file. */
  static async open(path: string): Promise<SafetensorsFile> {
    const { open } = await files();
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw unreadable(path, error);
    });
    try {
      const { size } = await handle.stat();
      const first = await readExactly(handle, 0, Math.min(8, size));
      const length = headerLength(first, size, path);
      const header = parseHeader(await readExactly(handle, 8, length), size, path);
      return new SafetensorsFile(path, header, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata;
  }

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
    return tensorFromBytes(
      entry,
      await readExactly(this.handle, this.header.dataStart + entry.begin, entry.end - entry.begin),
    );
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

async function readExactly(
  handle: {
    read(
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): Promise<{ bytesRead: number }>;
  },
  position: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0)
      throw new InputError(`The file ended ${length - done} bytes too early while it was read.`);
    done += bytesRead;
  }
  return bytes;
}

/**
 * Opens a folder's `model.safetensors`, or the files that `model.safetensors.index.json` lists.
 * @returns for every key the file that holds it; close each file once
 * @throws InputError naming the file or key that is missing.
 */
export async function openSharded(
  folder: string,
): Promise<{ files: SafetensorsFile[]; of: Map<string, SafetensorsFile> }> {
  const { readFile } = await files();
  const { join } = await import('node:path');
  const indexPath = join(folder, 'model.safetensors.index.json');
  const text = await readFile(indexPath, 'utf8').catch(() => undefined);
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

function parseIndex(text: string, path: string): Record<string, string> {
  try {
    const { weight_map: weightMap } = JSON.parse(text) as { weight_map?: Record<string, string> };
    if (weightMap && Object.values(weightMap).every((name) => typeof name === 'string')) return weightMap;
  } catch {
    // The sentence below covers a file that is not JSON, too.
  }
  throw new InputError(`${path} is not a safetensors index: it has no 'weight_map' of file names.`);
}
