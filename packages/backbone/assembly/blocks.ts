// Layouts of products with weights of 8 and 4 bits in blocks of 32 columns that share a scale.
//
// Weights are stored for sixteen rows at a time, [rows / 16, blocks, (32 columns, 16 scales)], so that they are read in one
// stream. A lane of 32 bits is four bytes of one row; four rows are a vector, and sixteen rows stand side by side:
// [bytes / 4, 16 rows, 4 bytes]. Bytes are 128 more than the weight (or the weight itself, where processors multiply signed
// bytes); of 4 bits, a byte has an even column low and the next one high, each 8 more than the weight.
//
// The row that they meet is rounded to 8 bits with one scale per block: its bytes, what the 128 or 8 make too much, the scale.

import { lanesMax, SHIFTER } from '../../base/assembly/lanes';

/** Rows that are stored side by side. */
export const GROUP: usize = 16;
/** Bytes of a block of a rounded row. */
export const ROUNDED: usize = 48;
/** Where in it the sum stands that products begin with, and the scale. */
export const SUM: usize = 32;
export const SCALE: usize = 36;

/** Bytes of a block of sixteen rows, scales included. */
export function blockSize(bits: i32): usize {
  return ((<usize>bits) << 6) + 64;
}

/** Four numbers as whole ones. */
function whole(x: usize, inverse: v128): v128 {
  const shifter = f32x4.splat(SHIFTER);
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), inverse), shifter), shifter);
}

/** Eight numbers as whole ones of 16 bits. */
function shorts(x: usize, inverse: v128): v128 {
  return i16x8.narrow_i32x4_s(whole(x, inverse), whole(x + 16, inverse));
}

/**
 * Rounds rows, one behind the other, to 8 bits per block. For weights of 4 bits even columns stand before odd ones.
 * @param count of all numbers, a multiple of 32
 * @param offset what weights are stored with: 128, 8, or 0 for signed bytes
 */
export function roundRows(to: usize, x: usize, count: i32, bits: i32, offset: i32): void {
  const end = x + ((<usize>count) << 2);
  for (; x < end; x += 128, to += ROUNDED) {
    let largest = f32x4.abs(v128.load(x));
    for (let at: usize = 16; at < 128; at += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(x + at)));
    const most = f32x4.extract_lane(lanesMax(largest), 0);
    // Rows near nothing are nothing; what is no number stays so by its scale.
    const inverse = f32x4.splat(most < 1e-35 ? 0 : <f32>127 / most);
    const a = shorts(x, inverse);
    const b = shorts(x + 32, inverse);
    const c = shorts(x + 64, inverse);
    const d = shorts(x + 96, inverse);
    const first = i8x16.narrow_i16x8_s(a, b);
    const second = i8x16.narrow_i16x8_s(c, d);
    if (bits === 8) {
      v128.store(to, first);
      v128.store(to, second, 16);
    } else {
      v128.store(
        to,
        v128.shuffle<i8>(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
      );
      v128.store(
        to,
        v128.shuffle<i8>(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31),
        16,
      );
    }
    let sums = i32x4.extadd_pairwise_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)));
    sums = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 1, 0, 3, 2));
    sums = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
    store<i32>(to + SUM, -offset * i32x4.extract_lane(sums, 0));
    store<f32>(to + SCALE, most / <f32>127);
  }
}

/**
 * Brings groups of sixteen rows into the order of the products.
 * @param packed `[16 groups, blocks, 4 bits]` bytes
 * @param scales float32 `[16 groups, blocks]`
 * @param flipped is xored with every four bytes
 */
export function arrange(
  to: usize,
  packed: usize,
  scales: usize,
  groups: i32,
  blocks: i32,
  bits: i32,
  flipped: i32,
): void {
  const size = (<usize>bits) << 2;
  const row = size * blocks;
  const line = (<usize>blocks) << 2;
  for (; groups > 0; groups--, packed += GROUP * row, scales += GROUP * line) {
    for (let block: usize = 0; block < <usize>blocks; block++) {
      for (let at: usize = 0; at < size; at += 4) {
        const first = packed + block * size + at;
        for (let from = first; from < first + GROUP * row; from += row, to += 4) {
          store<i32>(to, load<i32>(from) ^ flipped);
        }
      }
      const first = scales + (block << 2);
      for (let from = first; from < first + GROUP * line; from += line, to += 4) {
        store<f32>(to, load<f32>(from));
      }
    }
  }
}

/** Sixteen rows of 4 bits as they would be in 8: even columns before odd ones. */
export function widen(to: usize, w: usize, blocks: i32): void {
  const half = i8x16.splat(15);
  for (; blocks > 0; blocks--, to += 256, w += 64) {
    for (let end = w + 256; w < end; w += 16, to += 16) {
      const both = v128.load(w);
      v128.store(to, v128.and(both, half));
      v128.store(to, v128.and(i16x8.shr_u(both, 4), half), 256);
    }
    to += 256;
    for (let at: usize = 0; at < 64; at += 16) v128.store(to + at, v128.load(w + at));
    to -= 192;
  }
}
