import { InputError } from './errors.js';
import { bfloatToFloat, floatToBfloat, floatToHalf, halfToFloat } from './float-formats.js';
import { formatShape, type NDArray, ndarray, sizeOf } from './ndarray.js';

/** Element types of the safetensors format that are read and written. */
export type SafeDType = 'F32' | 'F16' | 'BF16' | 'I32' | 'I64' | 'U8' | 'BOOL';
/** Raw values: F16 and BF16 as their 16-bit patterns, I64 as bigints. */
export type SafeData = Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array;

export interface SafeTensor {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly data: SafeData;
}

export interface SafeTensors {
  readonly tensors: Map<string, SafeTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One entry of a file's header; offsets count from the end of the header. */
export interface SafeEntry {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafeHeader {
  readonly entries: Map<string, SafeEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset of the first byte of data in the file. */
  readonly dataStart: number;
}

const ARRAYS = {
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

const isDType = (dtype: unknown): dtype is SafeDType => typeof dtype === 'string' && dtype in ARRAYS;
const LENGTH_BYTES = 8;
const MAX_HEADER = 100 * 2 ** 20;

/**
 * Writes tensors in the safetensors format: header length, JSON header, data in the order of the record.
 * @throws InputError when values and shape of a tensor do not match.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    if (data.length !== sizeOf(shape)) {
      throw new InputError(
        `Tensor '${name}' has shape ${formatShape(shape)} but holds ${data.length} values.`,
      );
    }
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Spaces fill the header up, so that the data begins at a multiple of 8 bytes.
  const headerLength = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + headerLength + offset).fill(
    0x20,
    LENGTH_BYTES,
    LENGTH_BYTES + headerLength,
  );
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(text, LENGTH_BYTES);
  let position = LENGTH_BYTES + headerLength;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/** Length of the JSON header that a file's first 8 bytes state. @throws InputError when it cannot be true. */
export function headerLength(firstBytes: Uint8Array, fileSize: number, source: string): number {
  if (firstBytes.length < LENGTH_BYTES) {
    throw new InputError(`${source} is not a safetensors file: it has only ${firstBytes.length} bytes.`);
  }
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, LENGTH_BYTES);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER || LENGTH_BYTES + length > fileSize) {
    throw new InputError(
      `${source} is not a safetensors file, or is cut off: its header would take ${length} bytes of a file of ${fileSize}.`,
    );
  }
  return length;
}

/**
 * Reads and checks the JSON header.
 * @param source name for messages, such as the file's path
 * @throws InputError naming the source and the key when an entry is foreign, torn, overlapping or of another size.
 */
export function parseHeader(json: Uint8Array, fileSize: number, source: string): SafeHeader {
  const dataStart = LENGTH_BYTES + json.length;
  let raw: Record<string, unknown>;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)) as Record<string, unknown>;
  } catch {
    throw new InputError(`${source} is not a safetensors file: its header is not JSON.`);
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new InputError(`${source} is not a safetensors file: its header is not an object.`);
  }
  const { __metadata__: metadata = {}, ...rest } = raw;
  const entries = new Map<string, SafeEntry>();
  for (const [key, entry] of Object.entries(rest)) {
    const checked = checkEntry(key, entry, fileSize - dataStart, source);
    if (checked) entries.set(key, checked);
  }
  checkOverlaps(entries, source);
  return { entries, metadata: metadata as Record<string, string>, dataStart };
}

function checkEntry(key: string, entry: unknown, dataSize: number, source: string): SafeEntry | undefined {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const isIndex = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isIndex) || !Array.isArray(offsets) || !offsets.every(isIndex)) {
    throw new InputError(`${source}: the header entry of '${key}' has no valid shape and offsets.`);
  }
  const [begin, end] = offsets as [number, number];
  if (!isDType(dtype)) {
    throw new InputError(
      `${source}: '${key}' has dtype ${String(dtype)}; supported are ${Object.keys(ARRAYS).join(', ')}.`,
    );
  }
  if (end > dataSize) {
    throw new InputError(
      `${source} is cut off: '${key}' ends at byte ${end} of the data, but only ${dataSize} are there.`,
    );
  }
  const expected = sizeOf(shape as number[]) * ARRAYS[dtype].BYTES_PER_ELEMENT;
  if (end - begin !== expected) {
    throw new InputError(
      `${source}: '${key}' of shape ${formatShape(shape as number[])} and dtype ${dtype} needs ${expected} bytes, but its offsets give ${end - begin}.`,
    );
  }
  return { dtype, shape: shape as number[], begin, end };
}

function checkOverlaps(entries: Map<string, SafeEntry>, source: string): void {
  const sorted = [...entries]
    .filter(([, { begin, end }]) => end > begin)
    .sort(([, a], [, b]) => a.begin - b.begin);
  for (let i = 1; i < sorted.length; i++) {
    const [key, { begin }] = sorted[i]!;
    const [former, { end }] = sorted[i - 1]!;
    if (begin < end) throw new InputError(`${source}: the data of '${key}' overlaps that of '${former}'.`);
  }
}

/** The tensor of an entry from its bytes, copied so that it is aligned. */
export function tensorFromBytes(entry: SafeEntry, bytes: Uint8Array): SafeTensor {
  // Not slice(): that of Node's Buffer shares memory.
  const copy = new Uint8Array(bytes);
  return { dtype: entry.dtype, shape: entry.shape, data: new ARRAYS[entry.dtype](copy.buffer) };
}

/**
 * Reads a whole safetensors file from memory.
 * @param source name for messages
 * @throws InputError for a torn or foreign file.
 */
export function decodeSafetensors(bytes: Uint8Array, source = 'This data'): SafeTensors {
  const length = headerLength(bytes.subarray(0, LENGTH_BYTES), bytes.length, source);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length, source);
  const tensors = new Map<string, SafeTensor>();
  for (const [key, entry] of header.entries) {
    const { begin, end } = entry;
    tensors.set(
      key,
      tensorFromBytes(entry, bytes.subarray(header.dataStart + begin, header.dataStart + end)),
    );
  }
  return { tensors, metadata: header.metadata };
}

/**
 * A tensor of a file as an array to compute with: floating formats become float32, BOOL bool, integers int32.
 * @throws InputError for an I64 value beyond 32 bits.
 */
export function toNDArray(tensor: SafeTensor, name = 'tensor'): NDArray {
  const { dtype, shape, data } = tensor;
  if (dtype === 'F32') return ndarray(data as Float32Array, shape);
  if (dtype === 'I32') return ndarray(data as Int32Array, shape, 'int32');
  if (dtype === 'U8') return ndarray(Int32Array.from(data as Uint8Array), shape, 'int32');
  if (dtype === 'BOOL') return ndarray(data as Uint8Array, shape, 'bool');
  if (dtype === 'I64') return ndarray(narrow(data as BigInt64Array, name), shape, 'int32');
  const convert = dtype === 'F16' ? halfToFloat : bfloatToFloat;
  const values = new Float32Array(data.length);
  for (let i = 0; i < values.length; i++) values[i] = convert((data as Uint16Array)[i]!);
  return ndarray(values, shape);
}

function narrow(data: BigInt64Array, name: string): Int32Array {
  const values = new Int32Array(data.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(data[i]!);
    if (value !== (value | 0))
      throw new InputError(`'${name}' holds ${value}, which does not fit into 32 bits.`);
    values[i] = value;
  }
  return values;
}

/** An array as a tensor of a file; float32 may be stored in 16 bits. */
export function fromNDArray(array: NDArray, storage?: 'F16' | 'BF16'): SafeTensor {
  const { data, shape, dtype } = array;
  if (dtype === 'int32') return { dtype: 'I32', shape, data: data as Int32Array };
  if (dtype === 'bool') return { dtype: 'BOOL', shape, data: data as Uint8Array };
  if (!storage) return { dtype: 'F32', shape, data: data as Float32Array };
  const convert = storage === 'F16' ? floatToHalf : floatToBfloat;
  const bits = new Uint16Array(data.length);
  for (let i = 0; i < bits.length; i++) bits[i] = convert(data[i]!);
  return { dtype: storage, shape, data: bits };
}
