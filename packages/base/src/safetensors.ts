import { InputError } from './errors.js';
import { FIRST_BYTES } from './foreign-cause.js';
import { formatShape, sizeOf } from './ndarray.js';
import {
  ELEMENT_ARRAYS,
  isDType,
  readableDTypes,
  type SafeData,
  type SafeDType,
} from './safetensors-dtypes.js';
import { headerLength, LENGTH_BYTES, METADATA, parseHeader, type SafeEntry } from './safetensors-header.js';

export * from './safetensors-arrays.js';
export type { SafeData, SafeDType } from './safetensors-dtypes.js';
export { headerLength, parseHeader, type SafeEntry, type SafeHeader } from './safetensors-header.js';

export interface SafeTensor {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly data: SafeData;
}

export interface SafeTensors {
  readonly tensors: Map<string, SafeTensor>;
  /** Element types of the tensors that are there and cannot be read. */
  readonly unread: ReadonlyMap<string, string>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Tensors to be written: by name, or as a file gave them. */
export type TensorsToWrite =
  | Readonly<Record<string, SafeTensor>>
  | ReadonlyMap<string, SafeTensor>
  | SafeTensors;

const SPACE = 0x20;

/**
 * The parts of a file, in order: header, then the data of every tensor, without copying any.
 * @throws InputError when the values of a tensor fit neither its dtype nor its shape.
 */
export function safetensorsChunks(
  source: TensorsToWrite,
  metadata: Readonly<Record<string, string>> = isFile(source) ? source.metadata : {},
): Uint8Array[] {
  const tensors = entriesOf(source);
  // Without a prototype, so that every name is just a name.
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header[METADATA] = metadata;
  for (const [name, tensor] of tensors) {
    checkTensor(name, tensor);
    header[name] = undefined; // Named in the order of the record, whatever the order of the data.
  }
  // Larger elements first, so that every tensor begins at a multiple of its element's size.
  const inOrder = [...tensors].sort(([, a], [, b]) => elementSize(b) - elementSize(a));
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of inOrder) {
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

const elementSize = ({ dtype }: SafeTensor) => ELEMENT_ARRAYS[dtype].BYTES_PER_ELEMENT;

function checkTensor(name: string, { dtype, shape, data }: SafeTensor): void {
  if (name === METADATA)
    throw new InputError(`A tensor cannot be named '${METADATA}': the format uses that key.`);
  if (!isDType(dtype)) {
    throw new InputError(`Tensor '${name}' has dtype ${String(dtype)}; use ${readableDTypes}.`);
  }
  if (!(data instanceof ELEMENT_ARRAYS[dtype])) {
    throw new InputError(
      `Tensor '${name}' of dtype ${dtype} needs its values in a ${ELEMENT_ARRAYS[dtype].name}, not in a ${data.constructor.name}.`,
    );
  }
  if (data.length !== sizeOf(shape)) {
    throw new InputError(`Tensor '${name}' has shape ${formatShape(shape)} but holds ${data.length} values.`);
  }
}

const isFile = (source: TensorsToWrite): source is SafeTensors =>
  'tensors' in source && source.tensors instanceof Map;

function entriesOf(source: TensorsToWrite): [string, SafeTensor][] {
  if (!isFile(source)) return source instanceof Map ? [...source] : Object.entries(source);
  const [unread] = source.unread;
  if (unread) {
    throw new InputError(
      `The tensor '${unread[0]}' has dtype ${unread[1]}, which was not read and cannot be written; give the tensors that shall be kept ('tensors') alone.`,
    );
  }
  return [...source.tensors];
}

/**
 * Writes tensors in the safetensors format: header length, JSON header, data by the size of its
 * elements, the largest first, so that readers can map every tensor as it stands.
 * @param tensors by name, or what `decodeSafetensors` gave
 * @param metadata free strings, stored in the header. Default: those of the file that was decoded
 * @throws InputError when the values of a tensor fit neither its dtype nor its shape, or for tensors that were not read.
 */
export function encodeSafetensors(
  tensors: TensorsToWrite,
  metadata?: Readonly<Record<string, string>>,
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

/**
 * The tensor of an entry over the bytes of exactly that tensor, which it keeps.
 * @param buffer begins with the first element, so that it is aligned.
 * @param name of file and tensor, for messages
 * @throws InputError for an element type that cannot be read.
 */
export function tensorFromBuffer({ dtype, shape }: SafeEntry, buffer: ArrayBuffer, name: string): SafeTensor {
  if (!isDType(dtype)) throw unreadableDType(dtype, name);
  return { dtype, shape, data: new ELEMENT_ARRAYS[dtype](buffer) };
}

/** The error of a tensor whose element type cannot be read. */
export function unreadableDType(dtype: string, name: string): InputError {
  return new InputError(`${name} has dtype ${dtype}; dtypes that can be read are ${readableDTypes}.`);
}

/**
 * Reads a whole safetensors file from memory.
 * @param source name for messages
 * @throws InputError for a torn or foreign file.
 */
export function decodeSafetensors(bytes: Uint8Array, source = 'This data'): SafeTensors {
  const length = headerLength(bytes.subarray(0, FIRST_BYTES), bytes.length, source);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length, source);
  const tensors = new Map<string, SafeTensor>();
  const unread = new Map<string, string>();
  for (const [key, entry] of header.entries) {
    const { begin, end, dtype } = entry;
    if (!isDType(dtype)) {
      unread.set(key, dtype);
      continue;
    }
    const part = bytes.subarray(header.dataStart + begin, header.dataStart + end);
    // Copied, so that it is aligned; not with slice(), because that of Node's Buffer shares memory.
    tensors.set(key, tensorFromBuffer(entry, new Uint8Array(part).buffer, `${source}: '${key}'`));
  }
  return { tensors, unread, metadata: header.metadata };
}
