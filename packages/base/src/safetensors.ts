import { InputError } from './errors.js';
import { bfloatsToFloats, floatToBfloat, floatToHalf, halvesToFloats } from './float-formats.js';
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

const isDType = (dtype: unknown): dtype is SafeDType =>
  typeof dtype === 'string' && Object.hasOwn(ARRAYS, dtype);
const METADATA = '__metadata__';
const SPACE = 0x20;
const LENGTH_BYTES = 8;
/** The format's own limit, which keeps a foreign file from asking for all memory. */
const MAX_HEADER = 100 * 2 ** 20;

/**
 * The parts of a file, in order: header, then the data of every tensor, without copying any.
 * @throws InputError when the values of a tensor fit neither its dtype nor its shape.
 */
export function safetensorsChunks(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  // Without a prototype, so that every name is just a name.
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header[METADATA] = metadata;
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    checkTensor(name, tensor);
    const { dtype, shape, data } = tensor;
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Spaces fill the header up, so that the data begins at a multiple of 8 bytes.
  const length = Math.ceil(text.length / LENGTH_BYTES) * LENGTH_BYTES;
  const start = new Uint8Array(LENGTH_BYTES + length).fill(SPACE);
  new DataView(start.buffer).setBigUint64(0, BigInt(length), true);
  start.set(text, LENGTH_BYTES);
  return [start, ...chunks];
}

function checkTensor(name: string, { dtype, shape, data }: SafeTensor): void {
  if (name === METADATA)
    throw new InputError(`A tensor cannot be named '${METADATA}': the format uses that key.`);
  if (!isDType(dtype)) {
    throw new InputError(
      `Tensor '${name}' has dtype ${String(dtype)}; use ${Object.keys(ARRAYS).join(', ')}.`,
    );
  }
  if (!(data instanceof ARRAYS[dtype])) {
    throw new InputError(
      `Tensor '${name}' of dtype ${dtype} needs its values in a ${ARRAYS[dtype].name}, not in a ${data.constructor.name}.`,
    );
  }
  if (data.length !== sizeOf(shape)) {
    throw new InputError(`Tensor '${name}' has shape ${formatShape(shape)} but holds ${data.length} values.`);
  }
}

/**
 * Writes tensors in the safetensors format: header length, JSON header, data in the order of the record.
 * @param metadata free strings, stored in the header
 * @throws InputError when the values of a tensor fit neither its dtype nor its shape.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const chunks = safetensorsChunks(tensors, metadata);
  const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
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
  const { [METADATA]: metadata = {}, ...rest } = raw;
  if (!isStringRecord(metadata)) {
    throw new InputError(`${source}: the header's '${METADATA}' is not a record of strings.`);
  }
  const dataSize = fileSize - dataStart;
  const entries = new Map(
    Object.entries(rest).map(([key, entry]) => [key, checkEntry(key, entry, dataSize, source)]),
  );
  checkCoverage(entries, dataSize, source);
  return { entries, metadata, dataStart };
}

function isStringRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

function checkEntry(key: string, entry: unknown, dataSize: number, source: string): SafeEntry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (!isIndexList(shape) || !isIndexList(offsets) || offsets.length !== 2) {
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
  const expected = sizeOf(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
  if (end - begin !== expected) {
    throw new InputError(
      `${source}: '${key}' of shape ${formatShape(shape)} and dtype ${dtype} needs ${expected} bytes, but its offsets give ${end - begin}.`,
    );
  }
  return { dtype, shape, begin, end };
}

function isIndexList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The format wants the tensors side by side from the first byte of the data to the last. */
function checkCoverage(entries: Map<string, SafeEntry>, dataSize: number, source: string): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  let former = '';
  for (const [key, { begin, end }] of sorted) {
    if (begin < covered)
      throw new InputError(`${source}: the data of '${key}' overlaps that of '${former}'.`);
    if (begin > covered) {
      throw new InputError(
        `${source}: ${begin - covered} bytes before the data of '${key}' belong to no tensor; the file is damaged.`,
      );
    }
    covered = end;
    former = key;
  }
  if (covered < dataSize) {
    throw new InputError(
      `${source}: the last ${dataSize - covered} bytes belong to no tensor; the file is damaged.`,
    );
  }
}

/**
 * The tensor of an entry over the bytes of exactly that tensor, which it keeps.
 * @param buffer begins with the first element, so that it is aligned.
 */
export function tensorFromBuffer(entry: SafeEntry, buffer: ArrayBuffer): SafeTensor {
  return { dtype: entry.dtype, shape: entry.shape, data: new ARRAYS[entry.dtype](buffer) };
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
    const part = bytes.subarray(header.dataStart + begin, header.dataStart + end);
    // Copied, so that it is aligned; not with slice(), because that of Node's Buffer shares memory.
    tensors.set(key, tensorFromBuffer(entry, new Uint8Array(part).buffer));
  }
  return { tensors, metadata: header.metadata };
}

/**
 * A tensor of a file as an array to compute with: floating formats become float32, BOOL bool, integers int32.
 * F32, I32 and BOOL share the memory of the tensor.
 * @param name for messages
 * @throws InputError for an I64 value beyond 32 bits.
 */
export function toNDArray(tensor: SafeTensor, name = 'tensor'): NDArray {
  const { dtype, shape, data } = tensor;
  if (dtype === 'F32') return ndarray(data as Float32Array, shape);
  if (dtype === 'I32') return ndarray(data as Int32Array, shape, 'int32');
  if (dtype === 'U8') return ndarray(Int32Array.from(data as Uint8Array), shape, 'int32');
  if (dtype === 'BOOL') return ndarray(data as Uint8Array, shape, 'bool');
  if (dtype === 'I64') return ndarray(narrow(data as BigInt64Array, name), shape, 'int32');
  const convert = dtype === 'F16' ? halvesToFloats : bfloatsToFloats;
  return ndarray(convert(data as Uint16Array), shape);
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

/**
 * An array as a tensor of a file, sharing its memory unless it is converted.
 * @param storage stores float32 in 16 bits, rounded to nearest, ties to even. Default: as it is.
 */
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
