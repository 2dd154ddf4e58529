/** The basis of an empty input. */
const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * FNV-1a, 32 bits (Fowler, Noll and Vo; RFC 9923): tells accidents apart, not attacks.
 * @param data bytes, or a text as UTF-8
 * @param hash of what stands before. Default: nothing
 * @returns an unsigned integer below 2³²
 */
export function fnv1a(data: ArrayBufferView | string, hash: number = OFFSET_BASIS): number {
  const { buffer, byteOffset, byteLength } = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  let mixed = hash;
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) mixed = Math.imul(mixed ^ byte, PRIME);
  return mixed >>> 0;
}

/** Eight hexadecimal digits of an unsigned 32-bit integer. */
export const hex32 = (value: number): string => value.toString(16).padStart(8, '0');
