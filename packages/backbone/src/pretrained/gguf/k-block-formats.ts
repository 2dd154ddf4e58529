import { type BlockFormat, halfAt } from './block-format.js';

/** Values of a super-block. */
const VALUES = 256;
/** Bytes of the eight 6-bit scales and minima of Q4_K and Q5_K. */
const SCALES = 12;

/** The 6-bit scale of sub-block j: the first four lie in the low bits, the others are in two parts. */
function scaleOf(bytes: Uint8Array, at: number, j: number): number {
  if (j < 4) return bytes[at + j]! & 63;
  return (bytes[at + j + 4]! & 15) | ((bytes[at + j - 4]! >> 6) << 4);
}

/** The 6-bit minimum of sub-block j. */
function minimumOf(bytes: Uint8Array, at: number, j: number): number {
  if (j < 4) return bytes[at + j + 4]! & 63;
  return (bytes[at + j + 4]! >> 4) | ((bytes[at + j]! >> 6) << 4);
}

/**
 * Eight sub-blocks of 32 values d · scale · q − m · minimum; two of them share 32 bytes, low and high halves. With a fifth
 * bit, bit j of byte i belongs to value i of sub-block j.
 */
function fourOrFive(name: string, hasFifth: boolean): BlockFormat {
  const fifths = 4 + SCALES;
  const quants = fifths + (hasFifth ? 32 : 0);
  return {
    name,
    values: VALUES,
    bytes: quants + VALUES / 2,
    dequantise: (bytes, at, into, to) => {
      const d = halfAt(bytes, at);
      const m = halfAt(bytes, at + 2);
      for (let j = 0; j < 8; j++) {
        const scale = Math.fround(d * scaleOf(bytes, at + 4, j));
        const minimum = Math.fround(m * minimumOf(bytes, at + 4, j));
        const from = at + quants + 32 * (j >> 1);
        const shift = (j & 1) * 4;
        for (let i = 0; i < 32; i++) {
          let q = (bytes[from + i]! >> shift) & 15;
          if (hasFifth) q |= ((bytes[at + fifths + i]! >> j) & 1) << 4;
          into[to + 32 * j + i] = Math.fround(scale * q) - minimum;
        }
      }
    },
  };
}

/**
 * Sixteen sub-blocks of 16 values d · scale · (q − 32) with 8-bit scales. Each half of 128 values has 64 bytes of low halves
 * and 32 bytes with the two high bits of four values.
 */
const six: BlockFormat = {
  name: 'Q6_K',
  values: VALUES,
  bytes: 210,
  dequantise: (bytes, at, into, to) => {
    const d = halfAt(bytes, at + 208);
    for (let value = 0; value < VALUES; value++) {
      const half = value >> 7;
      const within = value & 127;
      const quarter = within >> 5;
      const i = within & 31;
      const low = bytes[at + 64 * half + 32 * (quarter & 1) + i]! >> (quarter >= 2 ? 4 : 0);
      const high = bytes[at + 128 + 32 * half + i]! >> (2 * quarter);
      const scale = (bytes[at + 192 + (value >> 4)]! << 24) >> 24;
      into[to + value] = Math.fround(d * scale) * (((low & 15) | ((high & 3) << 4)) - 32);
    }
  },
};

/** The k-quants that are read. */
export const kFormats: readonly BlockFormat[] = [fourOrFive('Q4_K', false), fourOrFive('Q5_K', true), six];
