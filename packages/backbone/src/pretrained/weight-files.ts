import {
  FIRST_BYTES,
  headerLength,
  InputError,
  nodeModule,
  parseHeader,
  requireRegularFile,
  type SafeEntry,
  systemReason,
} from '@palimpsest/base';
import { isObject, readJsonFile } from './json-file.js';

export type FileHandle = Awaited<ReturnType<typeof import('node:fs/promises')['open']>>;

interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly dataStart: number;
  readonly entries: ReadonlyMap<string, SafeEntry>;
}

/** One tensor in an open file. */
export interface StoredTensor extends SafeEntry {
  readonly file: string;
  /** Of its first byte in the file. */
  readonly position: number;
  /** Reads bytes from the start of the tensor on. @throws InputError when the file ends too early. */
  read(into: Uint8Array, offset: number): Promise<void>;
}

/** Tensors of open files, of whatever format. Close it after use. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** What names the tensors, for messages. */
  readonly source: string;
  /** Where the sizes of the model stand that the tensors have to fit, for messages. */
  readonly described: string;
  /** One sentence per oddity of the files. */
  readonly warnings: readonly string[];
  /** Paths of all files. */
  readonly paths: readonly string[];
  close(): Promise<void>;
}

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/**
 * The weight files of a folder, open for reading in pieces, so that memory never holds a tensor twice. Close it after
 * use.
 */
export class WeightFiles implements WeightSource {
  readonly described = 'config.json';

  private constructor(
    private readonly files: readonly OpenFile[],
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    /** What names the tensors: the only file, or the index of several. */
    readonly source: string,
    /** One sentence per oddity of the files. */
    readonly warnings: readonly string[] = [],
  ) {}

  /** @throws InputError naming the file that is missing, torn or foreign, or the key that is not where the index says. */
  static async open(folder: string): Promise<WeightFiles> {
    const { join } = nodeModule('node:path');
    const { readdir } = nodeModule('node:fs').promises;
    const names = await readdir(folder).catch(() => [] as string[]);
    const indexPath = join(folder, INDEX);
    if (names.includes(SINGLE) || !names.includes(INDEX)) {
      const file = await openFile(join(folder, SINGLE), `and no ${INDEX} beside it${otherWeights(names)}`);
      const both = `${indexPath} is not read, since ${SINGLE} stands beside it.`;
      return new WeightFiles([file], storedTensors(file), file.path, names.includes(INDEX) ? [both] : []);
    }
    const index = (await readJsonFile(indexPath))!;
    const opened: OpenFile[] = [];
    try {
      const tensors = new Map<string, StoredTensor>();
      const byName = new Map<string, Map<string, StoredTensor>>();
      for (const [key, name] of Object.entries(weightMapOf(index, indexPath))) {
        let stored = byName.get(name);
        if (!stored) {
          const file = await openFile(join(folder, name), `which ${indexPath} names`);
          opened.push(file);
          stored = storedTensors(file);
          byName.set(name, stored);
        }
        const tensor = stored.get(key);
        if (!tensor)
          throw new InputError(`${indexPath} says that '${key}' is in ${name}, but it is not there.`);
        tensors.set(key, tensor);
      }
      return new WeightFiles(opened, tensors, indexPath);
    } catch (error) {
      await Promise.all(opened.map(({ handle }) => handle.close()));
      throw error;
    }
  }

  /** Paths of all files. */
  get paths(): string[] {
    return this.files.map(({ path }) => path);
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map(({ handle }) => handle.close()));
  }
}

/** Weights under other names or in other formats, which explain why there are none of this one. */
function otherWeights(names: readonly string[]): string {
  const find = (ending: RegExp) => names.find((name) => ending.test(name) && !/^\._/.test(name));
  const alike = find(/\.safetensors$/);
  if (alike === 'adapter_model.safetensors') {
    return `; ${alike} changes another model, which has to be merged with it first`;
  }
  if (alike !== undefined) return `; ${alike} is not looked for: weights in one file are called ${SINGLE}`;
  const other = find(/\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)$/);
  return other === undefined ? '' : `; ${other} is of a format that is not read: convert it to safetensors`;
}

function weightMapOf(index: { readonly weight_map?: unknown }, path: string): Record<string, string> {
  const map = index.weight_map;
  const isFileName = (name: unknown) => typeof name === 'string' && /^[^/\\]+\.safetensors$/.test(name);
  if (isObject(map) && Object.values(map).every(isFileName)) return map as Record<string, string>;
  throw new InputError(
    `${path}: the key 'weight_map' does not map tensors to *.safetensors files beside it.`,
  );
}

async function openFile(path: string, where: string): Promise<OpenFile> {
  const handle = await openForReading(path, where);
  try {
    const { size } = await handle.stat();
    const first = new Uint8Array(Math.min(FIRST_BYTES, size));
    await readFully(handle, first, 0, path);
    const json = new Uint8Array(headerLength(first, size, path));
    await readFully(handle, json, 8, path);
    const { entries, dataStart } = parseHeader(json, size, path);
    return { path, handle, entries, dataStart };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @param where why the file is looked for, as the end of a sentence. @throws InputError when it cannot be opened. */
export async function openForReading(path: string, where: string): Promise<FileHandle> {
  const { open } = nodeModule('node:fs').promises;
  try {
    requireRegularFile(path);
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      (error as { code?: string }).code === 'ENOENT'
        ? `There is no file ${path}, ${where}.`
        : `${path} cannot be read: ${systemReason(error)}.`,
    );
  }
}

function storedTensors(file: OpenFile): Map<string, StoredTensor> {
  return new Map(
    [...file.entries].map(([key, entry]) => [
      key,
      {
        ...entry,
        file: file.path,
        position: file.dataStart + entry.begin,
        read: (into: Uint8Array, offset: number) =>
          readFully(file.handle, into, file.dataStart + entry.begin + offset, `${file.path}: '${key}'`),
      },
    ]),
  );
}

/** Fills an array from a place in a file. @throws InputError when the file ends too early. */
export async function readFully(
  handle: FileHandle,
  into: Uint8Array,
  position: number,
  source: string,
): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) {
      throw new InputError(`${source} is cut off: the file ended ${into.length - done} bytes too early.`);
    }
    done += bytesRead;
  }
}
