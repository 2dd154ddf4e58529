import {
  decodeSafetensors,
  encodeSafetensors,
  floatToHalf,
  type SafeTensor,
  toNDArray,
} from '@palimpsest/base';
import type { z } from 'zod';
import { expect, KakeyaError } from '../errors.js';
import { type Matrix, matrix } from '../linalg/matrix.js';
import { crc32 } from './crc32.js';

const FORMAT = 'palimpsest-kakeya';
const VERSION = 1;

/** A saved object: what it is, JSON for the small things, named arrays for the rest. */
export interface KakeyaFile<T> {
  readonly kind: string;
  readonly json: T;
  readonly tensors: Readonly<Record<string, SafeTensor>>;
}

/** One safetensors file; the JSON and a checksum of the arrays travel in its metadata. */
export function encodeKakeyaFile<T>(file: KakeyaFile<T>): Uint8Array {
  const json = JSON.stringify(file.json);
  const checksum = String(checksumOf(json, file.tensors));
  const metadata = { format: FORMAT, version: String(VERSION), kind: file.kind, json, checksum };
  return encodeSafetensors(file.tensors, metadata);
}

/** Reads a file of one kind. Throws, naming it, when it is torn, foreign, of another kind or a newer version. */
export function decodeKakeyaFile<T>(
  bytes: Uint8Array,
  kind: string,
  source: string,
  shape: z.ZodType<unknown>,
): KakeyaFile<T> {
  const { tensors: byName, metadata } = fromFile(source, () => decodeSafetensors(bytes, source));
  const tensors = Object.fromEntries(byName);
  expect(
    metadata.format === FORMAT,
    () => `${source} is a safetensors file but was not written by this package.`,
  );
  expect(metadata.version === String(VERSION), () => {
    return `${source} has format version ${metadata.version}; this version reads ${VERSION}.`;
  });
  expect(metadata.kind === kind, () => `${source} holds a ${metadata.kind}, not a ${kind}.`);
  const json = metadata.json ?? '';
  const isWhole = metadata.checksum === String(checksumOf(json, tensors));
  expect(isWhole || metadata.checksum === String(checksumOf(json, widened(tensors))), () => {
    return `${source} is torn: its content does not match its checksum.`;
  });
  return { kind, json: parsedAs(shape, json, source) as T, tensors };
}

function parsedAs(shape: z.ZodType<unknown>, json: string, source: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new KakeyaError(`${source} is damaged: its header is not JSON.`);
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new KakeyaError(`${source} is damaged: '${path.join('.')}' in its header: ${message}.`);
}

/** Runs what turns a file's content into objects; whatever is wrong there names the file. */
export function fromFile<T>(source: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new KakeyaError(message.startsWith(source) ? message : `${source} is damaged: ${message}`);
  }
}

function checksumOf(json: string, tensors: Readonly<Record<string, SafeTensor>>): number {
  let sum = crc32(new TextEncoder().encode(json));
  for (const name of Object.keys(tensors).sort()) {
    const { data } = tensors[name]!;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    sum = crc32(new TextEncoder().encode(`${sum} ${name} ${crc32(bytes)}`));
  }
  return sum;
}

/** Earlier versions summed half floats as the single ones that they had in memory. */
function widened(tensors: Readonly<Record<string, SafeTensor>>): Record<string, SafeTensor> {
  const entries = Object.entries(tensors).map(([name, tensor]): [string, SafeTensor] => {
    const data = tensor.dtype === 'F16' ? Float32Array.from(toNDArray(tensor).data) : tensor.data;
    return [name, { ...tensor, data }];
  });
  return Object.fromEntries(entries);
}

/** Arrays of a file by name; reading a missing one names the file. */
export class TensorReader {
  readonly #tensors: Readonly<Record<string, SafeTensor>>;
  readonly #source: string;

  constructor(tensors: Readonly<Record<string, SafeTensor>>, source: string) {
    this.#tensors = tensors;
    this.#source = source;
  }

  has(name: string): boolean {
    return this.#tensors[name] !== undefined;
  }
  /** Finite numbers. */
  floats(name: string): Float32Array {
    const values = Float32Array.from(toNDArray(this.#get(name, ['F16', 'F32', 'F64'])).data);
    const at = values.findIndex((value) => !Number.isFinite(value));
    expect(at < 0, () => `${this.#source}: array ${name} holds ${values[at]} at position ${at}.`);
    return values;
  }
  /** In full precision; empty where there is no such array. */
  doubles(name: string): Float64Array {
    return this.has(name) ? Float64Array.from(this.#get(name, ['F64']).data, Number) : new Float64Array(0);
  }
  integers(name: string): Int32Array {
    return Int32Array.from(toNDArray(this.#get(name, ['I32'])).data);
  }
  bytes(name: string): Uint8Array {
    return Uint8Array.from(toNDArray(this.#get(name, ['U8'])).data);
  }
  matrix(name: string): Matrix<Float32Array> {
    const { shape } = this.#get(name, ['F16', 'F32']);
    expect(shape.length === 2, () => `${this.#source}: array ${name} is not a matrix.`);
    return matrix(shape[0]!, shape[1]!, this.floats(name));
  }

  #get(name: string, dtypes: readonly SafeTensor['dtype'][]): SafeTensor {
    const tensor = this.#tensors[name];
    if (tensor === undefined) throw new KakeyaError(`${this.#source} lacks the array ${name}.`);
    expect(dtypes.includes(tensor.dtype), () => {
      return `${this.#source}: array ${name} is of type ${tensor.dtype}, not ${dtypes.join(' or ')}.`;
    });
    return tensor;
  }
}

/** A float vector for a file. */
export function storedVector(data: ArrayLike<number>, dtype: 'F32' | 'F16' | 'F64' = 'F32'): SafeTensor {
  const numbers = dtype === 'F64' ? Float64Array.from(data) : storedFloats(data, dtype);
  return { dtype, shape: [data.length], data: numbers };
}

/** A float matrix for a file. */
export function storedMatrix(m: Matrix, dtype: 'F32' | 'F16' = 'F32'): SafeTensor {
  return { dtype, shape: [m.rows, m.cols], data: storedFloats(m.data, dtype) };
}

const storedFloats = (data: ArrayLike<number>, dtype: 'F32' | 'F16') =>
  dtype === 'F16' ? Uint16Array.from(data, floatToHalf) : Float32Array.from(data);

/** Whole numbers for a file. */
export function storedIntegers(data: ArrayLike<number>): SafeTensor {
  return { dtype: 'I32', shape: [data.length], data: Int32Array.from(data) };
}

/** Bytes for a file. */
export function storedBytes(data: Uint8Array): SafeTensor {
  return { dtype: 'U8', shape: [data.length], data };
}
