/** Arrays that hold the elements of each type that can be read and written. */
export const ELEMENT_ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  F8_E5M2: Uint8Array,
  F8_E4M3: Uint8Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** Element types of the safetensors format that are read and written. */
export type SafeDType = keyof typeof ELEMENT_ARRAYS;
/** Raw values: F16, BF16 and F8 as their bit patterns, I64 and U64 as bigints. */
export type SafeData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** Bits of an element of the types that files may have and that cannot be read: complex, block scales, packed ones. */
const OTHER_BITS: Readonly<Record<string, number>> = { C64: 64, F8_E8M0: 8, F6_E2M3: 6, F6_E3M2: 6, F4: 4 };

export const isDType = (dtype: unknown): dtype is SafeDType =>
  typeof dtype === 'string' && Object.hasOwn(ELEMENT_ARRAYS, dtype);

/** Bytes that a number of elements take, or nothing for a type that this program has never heard of. */
export function bytesOfElements(dtype: string, count: number): number | undefined {
  if (isDType(dtype)) return count * ELEMENT_ARRAYS[dtype].BYTES_PER_ELEMENT;
  const bits = Object.hasOwn(OTHER_BITS, dtype) ? OTHER_BITS[dtype] : undefined;
  return bits === undefined ? undefined : (count * bits) / 8;
}

/** The types that can be read, for messages. */
export const readableDTypes = Object.keys(ELEMENT_ARRAYS).join(', ');
