// Layouts of products with weights of 8 and 4 bits in blocks of 32 columns that share a scale.
//
// Weights are stored for sixteen rows at a time, [rows / 16, blocks, (32 columns, 16 scales)], so that they are read in one
// stream. A lane of 32 bits is four bytes of one row; four rows are a vector, and sixteen rows stand side by side:
// [bytes / 4, 16 rows, 4 bytes]. Bytes are 128 more than the weight (or the weight itself, where processors multiply signed
// bytes); of 4 bits, a byte has an even column low and the next one high, each 8 more than the weight.
//
// The row that they meet is rounded to 8 bits with one scale per block: its bytes, what the 128 or 8 make too much, the scale. A
// fine row has 16 bits: high bytes, low bytes, and the same two.

import { lanesMax, SHIFTER } from '../../base/assembly/lanes';

/** Rows that are stored side by side. */
export const GROUP: usize = 16;
/** Bytes of a block of a rounded row. */
export const ROUNDED: usize = 48;
/** Where in it the sum stands that products begin with, and the scale. */
export const SUM: usize = 32;
export const SCALE: usize = 36;
/** Bytes between high and low bytes of a fine row, by which all that follows is further on. */
export const LOW: usize = 32;
/** Bytes of a block of a fine row. */
export const FINE: usize = ROUNDED + LOW;
/** The largest whole number of a fine row: its high byte is 127. */
const FINE_MOST: f32 = 127 * 256;

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

/** The largest of a block, without its sign. */
function largest(x: usize): f32 {
  let most = f32x4.abs(v128.load(x));
  for (let at: usize = 16; at < 128; at += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + at)));
  return f32x4.extract_lane(lanesMax(most), 0);
}

/** What numbers are multiplied with to become whole ones of at most `levels`. */
function inverseOf(most: f32, levels: f32): v128 {
  // Rows near nothing are nothing; what is no number stays so by its scale.
  return f32x4.splat(most < 1e-35 ? 0 : levels / most);
}

/** Sum of the four whole numbers. */
function wholeSum(sums: v128): i32 {
  const pairs = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 1, 0, 3, 2));
  return i32x4.extract_lane(i32x4.add(pairs, v128.shuffle<i32>(pairs, pairs, 2, 3, 0, 1)), 0);
}

/**
 * Rounds rows, one behind the other, to 16 bits per block, for weights of 8 bits.
 * @param count of all numbers, a multiple of 32
 * @param offset what weights are stored with: 128, or 0 for signed bytes
 */
export function roundRowsFine(to: usize, x: usize, count: i32, offset: i32): void {
  const half = i16x8.splat(128);
  const end = x + ((<usize>count) << 2);
  for (; x < end; to += FINE) {
    const most = largest(x);
    const inverse = inverseOf(most, FINE_MOST);
    let sums = i32x4.splat(0);
    for (const bytes = to + LOW; to < bytes; to += 16, x += 64) {
      const a = shorts(x, inverse);
      const b = shorts(x + 32, inverse);
      const highA = i16x8.shr_s(i16x8.add(a, half), 8);
      const highB = i16x8.shr_s(i16x8.add(b, half), 8);
      v128.store(to, i8x16.narrow_i16x8_s(highA, highB));
      const lowA = i16x8.sub(a, i16x8.shl(highA, 8));
      const lowB = i16x8.sub(b, i16x8.shl(highB, 8));
      v128.store(to, i8x16.narrow_i16x8_s(lowA, lowB), LOW);
      sums = i32x4.add(sums, i32x4.add(i32x4.extadd_pairwise_i16x8_s(a), i32x4.extadd_pairwise_i16x8_s(b)));
    }
    to -= LOW;
    store<i32>(to + LOW + SUM, -offset * wholeSum(sums));
    store<f32>(to + LOW + SCALE, most / FINE_MOST);
  }
}

/**
 * Rounds rows, one behind the other, to 8 bits per block. For weights of 4 bits even columns stand before odd ones.
 * @param count of all numbers, a multiple of 32
 * @param offset what weights are stored with: 128, 8, or 0 for signed bytes
 */
export function roundRows(to: usize, x: usize, count: i32, bits: i32, offset: i32): void {
  const end = x + ((<usize>count) << 2);
  for (; x < end; x += 128, to += ROUNDED) {
    const most = largest(x);
    const inverse = inverseOf(most, 127);
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
    const sums = i32x4.extadd_pairwise_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)));
    store<i32>(to + SUM, -offset * wholeSum(sums));
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
