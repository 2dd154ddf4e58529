import { InputError } from '@palimpsest/tensor-core';

type Packed = 'f32' | 'f64' | 'i32' | 'u8' | 'u16';
const TYPES = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
  u16: Uint16Array,
} as const;

/**
 * Turns values into JSON and moves their typed arrays to one list of bytes, from which `unpackValue` brings back equal
 * values. Handles of compressed vectors are mostly such arrays.
 */
export class ValuePacker {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** @throws InputError for a value that cannot be stored, with its path. */
  pack(value: unknown, path: string): unknown {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') return Number.isFinite(value) ? value : { $number: String(value) };
    if (ArrayBuffer.isView(value)) return this.#array(value, path);
    if (Array.isArray(value)) return value.map((child, index) => this.pack(child, `${path}.${index}`));
    if (typeof value !== 'object' || value instanceof Map || value instanceof Set) {
      throw new InputError(
        `The value at '${path}' cannot be saved: it is ${describe(value)}; give a handle codec.`,
      );
    }
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, child]) => child !== undefined)
        .map(([key, child]) => {
          if (key.startsWith('$'))
            throw new InputError(`The key '${path}.${key}' cannot be saved: '$' is reserved.`);
          return [key, this.pack(child, `${path}.${key}`)];
        }),
    );
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #array(value: ArrayBufferView, path: string): unknown {
    const type = (Object.keys(TYPES) as Packed[]).find((name) => value instanceof TYPES[name]);
    if (!type) throw new InputError(`The array at '${path}' cannot be saved: it is ${describe(value)}.`);
    const part = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    this.#parts.push(part);
    const offset = this.#length;
    this.#length += part.length;
    return { $array: [type, offset, (value as Float32Array).length] };
  }
}

/** The value that was packed. @throws InputError when it points outside of the bytes. */
export function unpackValue(packed: unknown, bytes: Uint8Array): unknown {
  if (Array.isArray(packed)) return packed.map((child) => unpackValue(child, bytes));
  if (typeof packed !== 'object' || packed === null) return packed;
  if ('$number' in packed) {
    if (['NaN', 'Infinity', '-Infinity'].includes(packed.$number as string)) return Number(packed.$number);
    throw new InputError(`'$number' must be NaN or an infinity, but is ${JSON.stringify(packed.$number)}.`);
  }
  if ('$array' in packed) return unpackArray(packed.$array, bytes);
  return Object.fromEntries(Object.entries(packed).map(([key, child]) => [key, unpackValue(child, bytes)]));
}

function unpackArray(place: unknown, bytes: Uint8Array): unknown {
  const [type, offset, length] = (Array.isArray(place) ? place : []) as [Packed, number, number];
  const whole = [offset, length].every((number) => Number.isSafeInteger(number) && number >= 0);
  if (!Object.hasOwn(TYPES, String(type)) || !whole) {
    throw new InputError(`'$array' must be [type, offset, length], but is ${JSON.stringify(place)}.`);
  }
  const Type = TYPES[type];
  const end = offset + length * Type.BYTES_PER_ELEMENT;
  if (end > bytes.length) throw new InputError('A stored array lies outside of the stored bytes.');
  return new Type(bytes.slice(offset, end).buffer);
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'object'}`;
  return `a ${typeof value}`;
}
