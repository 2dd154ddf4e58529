import { InputError } from '@palimpsest/base';
import { tensorTypeOf } from './tensor-types.js';

/** What a metadata key of a GGUF file holds; whole numbers of 64 bits are the nearest number. */
export type GgufValue = number | boolean | string | readonly GgufValue[];
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

export interface GgufTensor {
  /** Name of the element type, as `Q4_K`. */
  readonly dtype: string;
  /** Row-major as everywhere here: the file names the extents in the other order. */
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** The bytes at hand end before the header does. */
export class HeaderContinues extends Error {}

const MAGIC = 'GGUF';
const ALIGNMENT = 32;
const STRING = 8;
const ARRAY = 9;
/** Lists in lists, which no known file needs: more of them are damage. */
const DEEPEST = 16;

/** Reads little-endian values one after another. */
class Cursor {
  at = 0;
  readonly #view: DataView;
  readonly #text = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(
    private readonly bytes: Uint8Array,
    private readonly fileSize: number,
    private readonly source: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Takes the next bytes. @throws HeaderContinues, or InputError when the file has no more either. */
  take(count: number): number {
    const from = this.at;
    if (from + count > this.fileSize) this.cutOff();
    if (from + count > this.bytes.length) throw new HeaderContinues();
    this.at += count;
    return from;
  }

  /** A count of things that take at least so many bytes each. @throws InputError when the file cannot hold them. */
  count(bytesEach: number): number {
    const value = this.u64();
    if (value * bytesEach > this.fileSize - this.at) this.cutOff();
    return value;
  }

  u32 = () => this.#view.getUint32(this.take(4), true);
  u64 = () => this.#whole(this.#view.getBigUint64(this.take(8), true));

  string(): string {
    const length = this.count(1);
    const from = this.take(length);
    return this.#text.decode(this.bytes.subarray(from, from + length));
  }

  scalar(type: number): number | boolean | string {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.take(1));
      case 1:
        return view.getInt8(this.take(1));
      case 2:
        return view.getUint16(this.take(2), true);
      case 3:
        return view.getInt16(this.take(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.take(4), true);
      case 6:
        return view.getFloat32(this.take(4), true);
      case 7:
        return view.getUint8(this.take(1)) !== 0;
      case STRING:
        return this.string();
      case 10:
        return Number(view.getBigUint64(this.take(8), true));
      case 11:
        return Number(view.getBigInt64(this.take(8), true));
      case 12:
        return view.getFloat64(this.take(8), true);
      default:
        throw new InputError(`${this.source} is damaged: its header has a value of type ${type}.`);
    }
  }

  value(type = this.u32(), depth = 0): GgufValue {
    if (type !== ARRAY || depth > DEEPEST) return this.scalar(type);
    const itemType = this.u32();
    const length = this.count(itemType === ARRAY ? 12 : itemType === STRING ? 8 : 1);
    const items = new Array<GgufValue>(length);
    for (let i = 0; i < length; i++) items[i] = this.value(itemType, depth + 1);
    return items;
  }

  #whole(value: bigint): number {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw new InputError(`${this.source} is damaged: its header has the number ${value}.`);
  }

  cutOff(): never {
    throw new InputError(
      `${this.source} is cut off: its ${this.fileSize} bytes end inside the header, or the header states sizes that cannot be.`,
    );
  }
}

/**
 * Reads the header of a GGUF file, versions 2 and 3.
 * @param bytes the beginning of the file
 * @param source name for messages
 * @throws HeaderContinues when more of the file is needed.
 * @throws InputError for another format or version, and for a header that is cut off or contradicts itself.
 */
export function parseHeader(bytes: Uint8Array, fileSize: number, source: string): GgufHeader {
  const cursor = new Cursor(bytes, fileSize, source);
  const magic = cursor.take(4);
  if (new TextDecoder('latin1').decode(bytes.subarray(magic, magic + 4)) !== MAGIC) {
    throw new InputError(`${source} is not a GGUF file: it does not begin with '${MAGIC}'.`);
  }
  checkVersion(cursor.u32(), source);
  const tensorCount = cursor.count(24);
  const keyCount = cursor.count(13);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) metadata.set(cursor.string(), cursor.value());
  const alignment = metadata.get('general.alignment') ?? ALIGNMENT;
  if (typeof alignment !== 'number' || alignment < 8 || alignment % 8 !== 0) {
    throw new InputError(`${source}: the key 'general.alignment' is ${alignment}, expected a multiple of 8.`);
  }
  const entries = Array.from({ length: tensorCount }, () => tensorEntry(cursor, source));
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, offset, bytes: size, ...entry } of entries) {
    const begin = dataStart + offset;
    if (begin + size > fileSize) {
      throw new InputError(
        `${source} is cut off: '${name}' ends at byte ${begin + size}, but the file has ${fileSize}.`,
      );
    }
    if (tensors.has(name)) throw new InputError(`${source} is damaged: it has '${name}' twice.`);
    tensors.set(name, { ...entry, begin, end: begin + size });
  }
  return { metadata, tensors };
}

function checkVersion(version: number, source: string): void {
  if (version === 2 || version === 3) return;
  const swapped = version >>> 24;
  const what =
    swapped > 0 && swapped < 16 && version % 2 ** 24 === 0
      ? 'is written for big-endian machines'
      : `is of GGUF's version ${version}`;
  throw new InputError(`${source} ${what}, which is not read; versions 2 and 3 are, little-endian.`);
}

function tensorEntry(cursor: Cursor, source: string) {
  const name = cursor.string();
  const rank = cursor.u32();
  if (rank > 4) throw new InputError(`${source} is damaged: '${name}' has ${rank} dimensions.`);
  const extents = Array.from({ length: rank }, () => cursor.u64());
  const type = tensorTypeOf(cursor.u32());
  const offset = cursor.u64();
  const count = extents.reduce((product, extent) => product * extent, 1);
  if ((extents[0] ?? 1) % type.values !== 0) {
    throw new InputError(
      `${source} is damaged: rows of '${name}' have ${extents[0]} values, but blocks of ${type.name} have ${type.values}.`,
    );
  }
  return {
    name,
    dtype: type.name,
    shape: extents.reverse(),
    offset,
    bytes: (count / type.values) * type.bytes,
  };
}
