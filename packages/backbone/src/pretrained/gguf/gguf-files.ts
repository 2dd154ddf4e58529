import { FIRST_BYTES, foreignCause, InputError } from '@palimpsest/base';
import {
  type FileHandle,
  openForReading,
  readFully,
  type StoredTensor,
  type WeightSource,
} from '../weight-files.js';
import { type GgufHeader, type GgufMetadata, HeaderContinues, parseHeader } from './header.js';

/** Bytes of a file that are looked at first; a header seldom has more than twice as many. */
const FIRST_LOOK = 2 ** 22;
/** Name of one of several files that make a model: `NAME-00001-of-00003.gguf`. */
const PART = /-(\d{5})-of-(\d{5})\.gguf$/;

interface OpenGguf extends GgufHeader {
  readonly path: string;
  readonly handle: FileHandle;
}

/** A GGUF file, or all the parts of one that was split, open for reading in pieces. */
export class GgufFiles implements WeightSource {
  readonly described = 'its own metadata';
  readonly warnings: readonly string[] = [];
  readonly tensors: ReadonlyMap<string, StoredTensor>;

  private constructor(
    readonly source: string,
    private readonly files: readonly OpenGguf[],
  ) {
    const tensors = new Map<string, StoredTensor>();
    for (const [key, tensor] of files.flatMap(storedTensors)) {
      const other = tensors.get(key);
      if (other)
        throw new InputError(
          `'${key}' is in ${other.file} and in ${tensor.file}: they are no parts of one model.`,
        );
      tensors.set(key, tensor);
    }
    this.tensors = tensors;
  }

  /** @param path the file, or the first part. @throws InputError naming the file that is missing, torn or foreign. */
  static async open(path: string): Promise<GgufFiles> {
    const opened: OpenGguf[] = [];
    try {
      for (const part of partsOf(path)) {
        opened.push(await openGguf(part, part === path ? 'which is asked for' : `a part of ${path}`));
      }
      return new GgufFiles(path, opened);
    } catch (error) {
      await Promise.all(opened.map(({ handle }) => handle.close()));
      throw error;
    }
  }

  /** What the first file says of the model and of its tokenizer. */
  get metadata(): GgufMetadata {
    return this.files[0]!.metadata;
  }

  get paths(): string[] {
    return this.files.map(({ path }) => path);
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map(({ handle }) => handle.close()));
  }
}

/** @throws InputError for a part that is not the first. */
function partsOf(path: string): string[] {
  const [ending, number, count] = PART.exec(path) ?? [];
  if (ending === undefined || count === undefined) return [path];
  const nameOf = (index: number) =>
    `${path.slice(0, -ending.length)}-${String(index).padStart(5, '0')}-of-${count}.gguf`;
  if (Number(number) !== 1) {
    throw new InputError(
      `${path} is part ${Number(number)} of ${Number(count)}; give the first, ${nameOf(1)}.`,
    );
  }
  return Array.from({ length: Number(count) }, (_, index) => nameOf(index + 1));
}

async function openGguf(path: string, where: string): Promise<OpenGguf> {
  const handle = await openForReading(path, where);
  try {
    const { size } = await handle.stat();
    for (let length = Math.min(FIRST_LOOK, size); ; length = Math.min(4 * length, size)) {
      const bytes = new Uint8Array(length);
      await readFully(handle, bytes, 0, path);
      const cause = foreignCause(bytes.subarray(0, FIRST_BYTES));
      if (cause !== undefined) throw new InputError(`${path} ${cause}.`);
      try {
        return { path, handle, ...parseHeader(bytes, size, path) };
      } catch (error) {
        if (!(error instanceof HeaderContinues)) throw error;
      }
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function storedTensors({ path, handle, tensors }: OpenGguf): [string, StoredTensor][] {
  return [...tensors].map(([key, entry]) => [
    key,
    {
      ...entry,
      file: path,
      position: entry.begin,
      read: (into, offset) => readFully(handle, into, entry.begin + offset, `${path}: '${key}'`),
    },
  ]);
}
