import { eightBitsToFloats, InputError, sizeOf, toNDArray } from '@palimpsest/base';
import type { StoredTensor } from './weight-files.js';
import type { WeightEntry } from './weight-map.js';

/** Bytes read at once. */
const PIECE = 2 ** 20;

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

/** Little-endian values of a piece as float32. */
const converters: Readonly<Record<string, { readonly bytes: number; readonly convert: Convert }>> = {
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

/** Whether a tensor has values that can be weights: integers and booleans are buffers of other programs. */
export const isFloating = (tensor: StoredTensor): boolean => tensor.dtype in converters;

/** Reads tensors into parameters, piece by piece through one buffer, so that loading leaves no garbage behind. */
export class TensorReader {
  readonly #bytes = new Uint8Array(PIECE);
  #values: Float32Array | undefined;

  /**
   * Reads a tensor into its rows of a parameter.
   * @param target the whole parameter, row-major, outputs as rows
   * @throws InputError for a tensor that is no floating one, or a file that ends too early.
   */
  async readInto(tensor: StoredTensor, entry: WeightEntry, target: Float32Array): Promise<void> {
    const format = converters[tensor.dtype];
    if (!format) {
      throw new InputError(
        `${tensor.file}: '${entry.key}' has dtype ${tensor.dtype}; weights are ${Object.keys(converters).join(', ')}.`,
      );
    }
    const start = firstElement(tensor, entry);
    await this.#pieces(tensor, format.bytes, (bytes, done, size) => {
      if (!entry.transposed) {
        format.convert(bytes, target.subarray(start + done, start + done + size));
        return;
      }
      this.#values ??= new Float32Array(PIECE);
      const values = this.#values.subarray(0, size);
      format.convert(bytes, values);
      scatterTransposed(values, done, tensor.shape, target);
    });
  }

  /** Reads the bits of a 16-bit tensor into their rows of a parameter. */
  async readBitsInto(tensor: StoredTensor, entry: WeightEntry, target: Uint16Array): Promise<void> {
    const start = firstElement(tensor, entry);
    await this.#pieces(tensor, 2, (bytes, done, size) => {
      const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, size);
      if (entry.transposed) scatterTransposed(bits, done, tensor.shape, target);
      else target.set(bits, start + done);
    });
  }

  async #pieces(
    tensor: StoredTensor,
    bytesPerValue: number,
    take: (bytes: Uint8Array, done: number, size: number) => void,
  ): Promise<void> {
    const count = sizeOf(tensor.shape);
    const perPiece = PIECE / bytesPerValue;
    for (let done = 0; done < count; done += perPiece) {
      const size = Math.min(perPiece, count - done);
      const bytes = this.#bytes.subarray(0, size * bytesPerValue);
      await tensor.read(bytes, done * bytesPerValue);
      take(bytes, done, size);
    }
  }
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
  values: Float32Array | Uint16Array,
  from: number,
  [inputs, outputs]: readonly number[],
  target: Float32Array | Uint16Array,
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
