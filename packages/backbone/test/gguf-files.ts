import { readFileSync } from 'node:fs';
import { type GgufTensor, type GgufValue, parseHeader } from '../src/pretrained/gguf/header.js';

/** Numbers of the element types that test files have. */
const TYPES: Readonly<Record<string, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  IQ4_NL: 20,
};
const [FLOAT32, BOOL, STRING, ARRAY] = [6, 7, 8, 9];
const ALIGNMENT = 32;

export interface Edit {
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  readonly without?: readonly string[];
  /** Types that are stated in place of the true ones; their tensors take as many bytes. */
  readonly types?: Readonly<Record<string, string>>;
  readonly onlyTensors?: readonly string[];
}

export function ggufBytes(bytes: Uint8Array) {
  return parseHeader(bytes, bytes.length, 'a file');
}

/** A copy of a file with other metadata or tensors, written anew. */
export function editedGguf(path: string, edit: Edit): Uint8Array {
  const bytes = readFileSync(path);
  const { metadata, tensors } = ggufBytes(bytes);
  const keys = new Map([...metadata, ...Object.entries(edit.metadata ?? {})]);
  for (const key of edit.without ?? []) keys.delete(key);
  const kept = [...tensors].filter(([name]) => edit.onlyTensors?.includes(name) ?? true);
  const header = [Buffer.from('GGUF'), u32(3), u64(kept.length), u64(keys.size)];
  for (const [key, value] of keys) header.push(string(key), typed(value));
  let offset = 0;
  for (const [name, { shape, dtype, begin, end }] of kept) {
    const type = TYPES[edit.types?.[name] ?? dtype]!;
    header.push(string(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(type), u64(offset));
    offset += aligned(end - begin);
  }
  return Buffer.concat([
    padded(Buffer.concat(header)),
    ...kept.map(([, tensor]) => padded(dataOf(bytes, tensor))),
  ]);
}

const dataOf = (bytes: Buffer, { begin, end }: GgufTensor) => bytes.subarray(begin, end);
const aligned = (size: number) => Math.ceil(size / ALIGNMENT) * ALIGNMENT;
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(aligned(bytes.length) - bytes.length)]);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

const string = (text: string) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);

const isList = (value: GgufValue): value is readonly GgufValue[] => Array.isArray(value);

const typed = (value: GgufValue): Buffer => Buffer.concat([u32(typeOf(value)), untyped(value)]);

function untyped(value: GgufValue): Buffer {
  if (!isList(value)) return scalar(value as number | string | boolean);
  return Buffer.concat([u32(typeOf(value[0] ?? '')), u64(value.length), ...value.map(untyped)]);
}

function typeOf(value: GgufValue): number {
  if (isList(value)) return ARRAY;
  if (typeof value === 'string') return STRING;
  return typeof value === 'boolean' ? BOOL : Number.isInteger(value) ? 10 : FLOAT32;
}

function scalar(value: number | string | boolean): Buffer {
  if (typeof value === 'string') return string(value);
  if (typeof value === 'boolean') return Buffer.from([value ? 1 : 0]);
  if (Number.isInteger(value)) return u64(value);
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
