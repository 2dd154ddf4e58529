import { eightBitsToFloats, InputError, sizeOf, toNDArray } from '@palimpsest/base';
import { blockFormats } from './gguf/block-formats.js';
import { SEEN } from './parameters-id.js';
import type { StoredTensor } from './weight-files.js';
import type { WeightEntry } from './weight-map.js';

/** Values read at once: whole blocks of every format. */
const PIECE = 2 ** 18;
/** Bytes of the widest value. */
const WIDEST = 8;

let halfTable: Float32Array | undefined;

/** Values of all 65,536 half-precision patterns. */
function halves(): Float32Array {
  halfTable ??= toNDArray({
    dtype: 'F16',
    shape: [2 ** 16],
    data: Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits),
  }).data as Float32Array;
  return halfTable;
}

type Convert = (bytes: Uint8Array, into: Float32Array) => void;

/** How stored bytes become numbers. */
interface Converter {
  /** Values of a block; plain types have blocks of one. Default 1. */
  readonly values?: number;
  /** Bytes of a block. */
  readonly bytes: number;
  readonly convert: Convert;
}

/** Little-endian values of a piece as float32. */
const plainConverters: Readonly<Record<string, Converter>> = {
  F64: {
    bytes: 8,
    convert: (bytes, into) => into.set(new Float64Array(bytes.buffer, bytes.byteOffset, into.length)),
  },
  F8_E4M3: { bytes: 1, convert: (bytes, into) => into.set(eightBitsToFloats('F8_E4M3', bytes)) },
  F8_E5M2: { bytes: 1, convert: (bytes, into) => into.set(eightBitsToFloats('F8_E5M2', bytes)) },
  F32: {
    bytes: 4,
    convert: (bytes, into) => new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes),
  },
  F16: {
    bytes: 2,
    convert: (bytes, into) => {
      const table = halves();
      const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, into.length);
      for (let i = 0; i < into.length; i++) into[i] = table[bits[i]!]!;
    },
  },
  BF16: {
    bytes: 2,
    convert: (bytes, into) => {
      const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, into.length);
      const patterns = new Uint32Array(into.buffer, into.byteOffset, into.length);
      for (let i = 0; i < into.length; i++) patterns[i] = bits[i]! << 16;
    },
  },
};

const converters: Readonly<Record<string, Converter>> = {
  ...plainConverters,
  ...Object.fromEntries(
    Object.values(blockFormats).map(({ name, values, bytes, dequantise }): [string, Converter] => [
      name,
      {
        values,
        bytes,
        convert: (stored, into) => {
          for (let block = 0; block * values < into.length; block++) {
            dequantise(stored, block * bytes, into, block * values);
          }
        },
      },
    ]),
  ),
};

/** Whether a tensor has values that can be weights: integers and booleans are buffers of other programs. */
export const isFloating = (tensor: StoredTensor): boolean => tensor.dtype in converters;

/** @throws InputError for a tensor that is no floating one. */
function converterOf(tensor: StoredTensor, key: string): Converter {
  const format = converters[tensor.dtype];
  if (format) return format;
  throw new InputError(
    `${tensor.file}: '${key}' has dtype ${tensor.dtype}; weights are ${Object.keys(converters).join(', ')}.`,
  );
}

/** Numbers of stored values. @param key for messages */
export function toFloats(tensor: StoredTensor, key: string, bytes: Uint8Array, into: Float32Array): void {
  converterOf(tensor, key).convert(bytes, into);
}

/** Reads tensors into parameters, piece by piece through one buffer, so that loading leaves no garbage behind. */
export class TensorReader {
  readonly #bytes = new Uint8Array(PIECE * WIDEST);
  #values: Float32Array | undefined;

  /**
   * Reads a tensor into its rows of a parameter.
   * @param target the whole parameter, row-major, outputs as rows
   * @throws InputError for a tensor that is no floating one, or a file that ends too early.
   */
  async readInto(tensor: StoredTensor, entry: WeightEntry, target: Float32Array): Promise<void> {
    const format = converterOf(tensor, entry.key);
    const start = firstElement(tensor, entry);
    const moves = moverOf(tensor, entry);
    await this.#pieces(tensor, format, (bytes, done, size) => {
      if (moves) moves(this.#floats(format, bytes, size), done, target.subarray(start));
      else format.convert(bytes, target.subarray(start + done, start + done + size));
    });
    const { plus } = entry;
    if (plus === undefined) return;
    for (let i = start; i < start + sizeOf(tensor.shape); i++) target[i]! += plus;
  }

  /**
   * Reads a tensor as float32, piece by piece in the order of its parameter; as a whole when its elements change places.
   * @param take gets a piece, which it may not keep, and the number of its first element in the parameter
   */
  async eachPiece(
    tensor: StoredTensor,
    entry: WeightEntry,
    take: (values: Float32Array, first: number) => Promise<void>,
  ): Promise<void> {
    const format = converterOf(tensor, entry.key);
    const start = firstElement(tensor, entry);
    if (moverOf(tensor, entry)) {
      const whole = new Float32Array(sizeOf(tensor.shape));
      await this.readInto(tensor, { ...entry, row: 0 }, whole);
      return take(whole, start);
    }
    const { plus } = entry;
    await this.#pieces(tensor, format, (bytes, done, size) => {
      const values = this.#floats(format, bytes, size);
      if (plus !== undefined) for (let i = 0; i < size; i++) values[i]! += plus;
      return take(values, start + done);
    });
  }

  /** Reads the beginning of every piece, by which a tensor is named that is otherwise not read. */
  async readBeginnings(tensor: StoredTensor, key: string): Promise<void> {
    const { values = 1, bytes } = converterOf(tensor, key);
    const count = sizeOf(tensor.shape);
    for (let done = 0; done < count; done += PIECE) {
      const length = Math.min(SEEN, (Math.min(PIECE, count - done) / values) * bytes);
      await tensor.read(this.#bytes.subarray(0, length), (done / values) * bytes);
    }
  }

  /** The bits of a 16-bit tensor, as a whole. */
  async eachBits(
    tensor: StoredTensor,
    entry: WeightEntry,
    take: (bits: Uint16Array, first: number) => Promise<void>,
  ): Promise<void> {
    const whole = new Uint16Array(sizeOf(tensor.shape));
    await this.readBitsInto(tensor, { ...entry, row: 0 }, whole);
    await take(whole, firstElement(tensor, entry));
  }

  /** Numbers of a piece, until the next one is read. */
  #floats(format: Converter, bytes: Uint8Array, size: number): Float32Array {
    this.#values ??= new Float32Array(PIECE);
    const values = this.#values.subarray(0, size);
    format.convert(bytes, values);
    return values;
  }

  /**
   * Reads whole rows of a matrix.
   * @param take gets the stored bytes of some rows, and the number of the first
   */
  async readRows(
    tensor: StoredTensor,
    key: string,
    take: (bytes: Uint8Array, first: number, rows: number) => void,
  ): Promise<void> {
    const [count, width] = tensor.shape as [number, number];
    const { values = 1, bytes: blockBytes } = converterOf(tensor, key);
    const rowBytes = (width / values) * blockBytes;
    const most = Math.max(1, Math.floor(PIECE / width));
    const buffer = rowBytes * most <= this.#bytes.length ? this.#bytes : new Uint8Array(rowBytes * most);
    for (let first = 0; first < count; first += most) {
      const rows = Math.min(most, count - first);
      const bytes = buffer.subarray(0, rows * rowBytes);
      await tensor.read(bytes, first * rowBytes);
      take(bytes, first, rows);
    }
  }

  /** Reads the bits of a 16-bit tensor into their rows of a parameter. */
  async readBitsInto(tensor: StoredTensor, entry: WeightEntry, target: Uint16Array): Promise<void> {
    const start = firstElement(tensor, entry);
    const moves = moverOf(tensor, entry);
    await this.#pieces(tensor, { bytes: 2 }, (bytes, done, size) => {
      const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, size);
      if (moves) moves(bits, done, target.subarray(start));
      else target.set(bits, start + done);
    });
  }

  async #pieces(
    tensor: StoredTensor,
    { values = 1, bytes: blockBytes }: Pick<Converter, 'values' | 'bytes'>,
    take: (bytes: Uint8Array, done: number, size: number) => void | Promise<void>,
  ): Promise<void> {
    const count = sizeOf(tensor.shape);
    for (let done = 0; done < count; done += PIECE) {
      const size = Math.min(PIECE, count - done);
      const bytes = this.#bytes.subarray(0, (size / values) * blockBytes);
      await tensor.read(bytes, (done / values) * blockBytes);
      await take(bytes, done, size);
    }
  }
}

type Values = Float32Array | Uint16Array;
/** Puts elements `from`, … of a tensor where the parameter has them. */
type Mover = (values: Values, from: number, target: Values) => void;

/** How the elements of a file lie in its parameter; nothing when they lie as in the file. */
function moverOf({ shape }: StoredTensor, { transposed, interleaved }: WeightEntry): Mover | undefined {
  if (transposed) return (values, from, target) => scatterTransposed(values, from, shape, target);
  if (interleaved === undefined) return undefined;
  const width = shape.length > 1 ? sizeOf(shape.slice(1)) : 1;
  return (values, from, target) => scatterHalves(values, from, width, interleaved, target);
}

/** Where a tensor begins in the parameter that it is stacked in. */
function firstElement({ shape }: StoredTensor, { row = 0 }: WeightEntry): number {
  return row * (shape.length > 1 ? sizeOf(shape.slice(1)) : 1);
}

/** Values of 16-bit patterns as float32. */
export function widen(format: 'F16' | 'BF16', bits: Uint16Array, into: Float32Array): void {
  converters[format]!.convert(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), into);
}

/** Writes elements `from`, … of an `[inputs, outputs]` tensor into an `[outputs, inputs]` one. */
function scatterTransposed(
  values: Values,
  from: number,
  [inputs, outputs]: readonly number[],
  target: Values,
): void {
  let row = Math.floor(from / outputs!);
  let column = from % outputs!;
  for (const value of values) {
    target[column * inputs! + row] = value;
    column += 1;
    if (column === outputs) {
      column = 0;
      row += 1;
    }
  }
}

/** Where a row goes whose head of so many rows has its pairs side by side: row 2i to i, row 2i + 1 to i + height / 2. */
export function placeOfRow(row: number, height: number): number {
  const within = row % height;
  return row - within + (within >> 1) + (within & 1) * (height / 2);
}

/**
 * Writes rows whose pairs 2i, 2i + 1 of every head are rotated together where they are rows i and i + height / 2: those of
 * llama.cpp's Llama files, which rotate neighbours.
 * @param width elements of a row
 * @param height rows of a head
 */
function scatterHalves(values: Values, from: number, width: number, height: number, target: Values): void {
  for (let done = 0; done < values.length; ) {
    const element = from + done;
    const row = Math.floor(element / width);
    const count = Math.min((row + 1) * width - element, values.length - done);
    const placed = placeOfRow(row, height);
    target.set(values.subarray(done, done + count), placed * width + (element % width));
    done += count;
  }
}
