import { floatToHalf, halfToFloat } from '@palimpsest/base';
import { expect, KakeyaError } from '../errors.js';

/** Arrays that a file can hold, with the safetensors name of their type. */
export interface StoredTensor {
  readonly dtype: 'F64' | 'F32' | 'F16' | 'I32' | 'U8';
  readonly shape: readonly number[];
  /** F16 is held as float32 numbers in memory. */
  readonly data: Float64Array | Float32Array | Int32Array | Uint8Array;
}

export interface StoredFile {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const BYTES = { F64: 8, F32: 4, F16: 2, I32: 4, U8: 1 } as const;
/** Header length that no file of ours reaches; a foreign file's first bytes usually read as more. */
const LONGEST_HEADER = 100_000_000;

/** The safetensors form: 8-byte header length, JSON header, little-endian arrays. */
export function encodeSafetensors({ tensors, metadata }: StoredFile): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = toBytes(tensor);
    header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const result = new Uint8Array(8 + padded + at).fill(0x20, 8, 8 + padded);
  new DataView(result.buffer).setBigUint64(0, BigInt(padded), true);
  result.set(json, 8);
  let position = 8 + padded;
  for (const part of parts) {
    result.set(part, position);
    position += part.length;
  }
  return result;
}

/** Reads {@link encodeSafetensors}. Throws, naming the source, on a torn or foreign file. */
export function decodeSafetensors(bytes: Uint8Array, source: string): StoredFile {
  const torn = () => `${source} is torn or not a safetensors file: its header and its length disagree.`;
  expect(bytes.length >= 8, torn);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  expect(length <= LONGEST_HEADER && 8 + length <= bytes.length, torn);
  const { __metadata__: metadata = {}, ...entries } = parseHeader(bytes.subarray(8, 8 + length), source);
  const body = bytes.subarray(8 + length);
  const tensors: Record<string, StoredTensor> = {};
  for (const [name, value] of Object.entries(entries)) {
    tensors[name] = readTensor(name, value, body, source);
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function parseHeader(bytes: Uint8Array, source: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Reported below with the file's name, which the parser does not know.
  }
  throw new KakeyaError(`${source} is not a safetensors file: its header is not a JSON object.`);
}

function readTensor(name: string, value: unknown, body: Uint8Array, source: string): StoredTensor {
  const entry = value as { dtype?: string; shape?: number[]; data_offsets?: [number, number] };
  const dtype = entry.dtype as StoredTensor['dtype'];
  expect(dtype in BYTES, () => `${source}: array ${name} has type ${entry.dtype}, which is not read here.`);
  const shape = Array.isArray(entry.shape) ? entry.shape : [-1];
  const count = shape.reduce((product, size) => product * size, 1);
  const [from, to] = Array.isArray(entry.data_offsets) ? entry.data_offsets : [0, -1];
  const fits = from >= 0 && to <= body.length && to - from === count * BYTES[dtype];
  expect(fits && Number.isInteger(count), () => {
    return `${source} is torn: array ${name} of shape [${shape.join(', ')}] does not fit its ${to - from} bytes.`;
  });
  return { dtype, shape, data: fromBytes(Uint8Array.from(body.subarray(from, to)), dtype) };
}

function toBytes({ dtype, data }: StoredTensor): Uint8Array {
  if (dtype === 'F16') return toBytes({ dtype: 'U8', shape: [], data: halves(data) });
  // Typed arrays are little endian on every platform that runs V8, SpiderMonkey or JavaScriptCore today.
  return new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

function halves(values: ArrayLike<number>): Uint8Array {
  const result = new Uint8Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    const bits = floatToHalf(values[i]!);
    result[2 * i] = bits & 0xff;
    result[2 * i + 1] = bits >>> 8;
  }
  return result;
}

/** `bytes` is a fresh copy, so its buffer starts at the array; a Buffer from a pool would not. */
function fromBytes(bytes: Uint8Array, dtype: StoredTensor['dtype']): StoredTensor['data'] {
  if (dtype === 'F64') return new Float64Array(bytes.buffer);
  if (dtype === 'F32') return new Float32Array(bytes.buffer);
  if (dtype === 'I32') return new Int32Array(bytes.buffer);
  if (dtype === 'U8') return bytes;
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) =>
    halfToFloat(bytes[2 * i]! | (bytes[2 * i + 1]! << 8)),
  );
}
