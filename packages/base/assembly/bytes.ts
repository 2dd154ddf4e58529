// Products with rows of 8 bits, in AssemblyScript. A row is its whole numbers from -127 to 127 times a step of its own. The
// other factor is rounded to whole numbers of up to 16 bits, so that products and their sums are exact in 32.
//
// Bytes are stored for 32 sums at a time, [sums / 32, terms / 2, 4, 4, 2, 2]: eight sums are four lanes of 32 bits of two terms of two
// bytes, the first of a sum and 128 more than it is, the second of the sum that is four further. If the last sums are sixteen
// or fewer they are stored for sixteen. Either way they are read in one stream.

import { lanesSum, pinned, SHIFTER } from './lanes';

/** The greater of numbers that are not below 0, where NaN is greater than all: in the order of their bits. */
export function greater(a: v128, b: v128): v128 {
  return i32x4.max_s(a, b);
}

/** The greatest of such lanes, in every lane. */
export function greatest(v: v128): v128 {
  const pairs = greater(v, v128.shuffle<f32>(v, v, 1, 0, 3, 2));
  return greater(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1));
}

/**
 * The step of a row of bytes, in every lane: 16 significant bits, rounded up, so that a byte times the step is exact, and rounding
 * such a row again gives the same bytes and the same step. Rows near nothing are nothing. `count` is a multiple of 4.
 */
export function byteStep(x: usize, count: i32): v128 {
  let largest = f32x4.splat(0);
  const end = x + ((<usize>count) << 2);
  for (let at = x; at < end; at += 16) largest = greater(largest, f32x4.abs(v128.load(at)));
  largest = greatest(largest);
  const step = i32x4.add(f32x4.div(largest, f32x4.splat(127)), i32x4.splat(0xff));
  return v128.andnot(v128.and(step, i32x4.splat(0xffffff00)), f32x4.lt(largest, f32x4.splat(1e-30)));
}

/** What numbers are multiplied by to be counted in steps. */
export function inverseOf(step: v128): v128 {
  return v128.and(f32x4.div(f32x4.splat(1), step), f32x4.gt(step, f32x4.splat(1e-36)));
}

/** Four numbers as whole ones. */
export function wholeOf(x: usize, inverse: v128): v128 {
  const shifter = f32x4.splat(SHIFTER);
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), inverse), shifter), shifter);
}

/** A row as bytes, one behind the other. @returns its step */
export function roundBytes(to: usize, x: usize, count: i32): f32 {
  const step = byteStep(x, count);
  const inverse = inverseOf(step);
  const end = x + ((<usize>count) << 2);
  for (let at = x; at < end; at += 16, to += 4) {
    const whole = wholeOf(at, inverse);
    const shorts = i16x8.narrow_i32x4_s(whole, whole);
    v128.store32_lane(to, i8x16.narrow_i16x8_s(shorts, shorts), 0);
  }
  return f32x4.extract_lane(step, 0);
}

/** Four sums of two products each of numbers of 16 bits, added to `sum`. */
function dot(sum: v128, a: v128, b: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, b));
}

/** Bytes of two terms of sixteen sums. */
export const TERMS: usize = 32;

/** Terms whose products are added before the sums of the two bytes of a pair are told apart. */
export const BLOCK: i32 = 256;

/**
 * The step of `terms` numbers of 16 bits, in every lane. `sum` is the greatest sum of a block without signs: of 65,534 steps and the
 * roundings, its product with a byte has 24 bits. The sum of all products has 32.
 */
export function shortStep(largest: v128, sum: v128, terms: i32): v128 {
  const factor = max<f32>(1, <f32>terms / 32_768) / 32_767;
  return f32x4.mul(greater(largest, f32x4.mul(sum, f32x4.splat(0.5))), f32x4.splat(factor));
}

/**
 * Rounds numbers, a multiple of 4, in steps to 16 bits. Every so many of them, a block, stand behind four times -128 times their
 * sum, which is what the 128 that is added to bytes makes too much.
 */
export function roundShorts(to: usize, x: usize, count: i32, step: v128, block: i32): void {
  const inverse = pinned(inverseOf(step));
  const ones = pinned(i16x8.splat(1));
  const end = x + ((<usize>count) << 2);
  while (x < end) {
    const start = to;
    const stop = min(end, x + ((<usize>block) << 2));
    let sums = i32x4.splat(0);
    for (to += 16; x + 32 <= stop; x += 32, to += 16) {
      const shorts = i16x8.narrow_i32x4_s(wholeOf(x, inverse), wholeOf(x + 16, inverse));
      v128.store(to, shorts);
      sums = dot(sums, shorts, ones);
    }
    if (x < stop) {
      const shorts = i16x8.narrow_i32x4_s(wholeOf(x, inverse), i32x4.splat(0));
      v128.store64_lane(to, shorts, 0);
      sums = dot(sums, shorts, ones);
      x += 16;
    }
    sums = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 1, 0, 3, 2));
    sums = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
    v128.store(start, i32x4.neg(i32x4.shl(sums, 7)));
  }
}

/** Rounds x to 16 bits for products with bytes. @returns the step, in every lane */
export function prepare(shorts: usize, x: usize, columns: i32): v128 {
  let largest = f32x4.splat(0);
  let largestSum = largest;
  const end = x + ((<usize>columns) << 2);
  for (let at = x; at < end; ) {
    const stop = min(end, at + ((<usize>BLOCK) << 2));
    let sums = f32x4.splat(0);
    for (; at < stop; at += 16) {
      const sizes = f32x4.abs(v128.load(at));
      largest = greater(largest, sizes);
      sums = f32x4.add(sums, sizes);
    }
    largestSum = greater(largestSum, lanesSum(sums));
  }
  const step = shortStep(greatest(largest), largestSum, columns);
  roundShorts(shorts, x, columns, step, BLOCK);
  return step;
}

/**
 * Adds four sums of the first bytes of pairs and four of the second ones, which `both` has 256 times beside the first, to what is
 * there of the bits that are `kept`.
 */
function addPairs(sums: usize, both: v128, first: v128, kept: v128): void {
  v128.store(sums, i32x4.add(v128.and(v128.load(sums), kept), first));
  const second = i32x4.shr_s(i32x4.sub(both, first), 8);
  v128.store(sums, i32x4.add(v128.and(v128.load(sums, 16), kept), second), 16);
}

/** Adds to sixteen sums the products of bytes, two terms every `stride` bytes, with a block of numbers up to `end`. */
export function addSixteen(sums: usize, a: usize, stride: usize, block: usize, end: usize, kept: v128): void {
  const mask = pinned(i16x8.splat(255));
  let both0 = v128.load(block);
  let first0 = both0;
  let both1 = both0;
  let first1 = both0;
  for (let at = block + 16; at < end; at += 4, a += stride) {
    const x = v128.load32_splat(at);
    const pairs0 = v128.load(a);
    both0 = dot(both0, pairs0, x);
    first0 = dot(first0, v128.and(pairs0, mask), x);
    const pairs1 = v128.load(a, 16);
    both1 = dot(both1, pairs1, x);
    first1 = dot(first1, v128.and(pairs1, mask), x);
  }
  addPairs(sums, both0, first0, kept);
  addPairs(sums + 32, both1, first1, kept);
}

/** The same with 32 sums: as many as there are registers for. */
export function addThirtyTwo(sums: usize, a: usize, block: usize, end: usize, kept: v128): void {
  const mask = pinned(i16x8.splat(255));
  let both0 = v128.load(block);
  let first0 = both0;
  let both1 = both0;
  let first1 = both0;
  let both2 = both0;
  let first2 = both0;
  let both3 = both0;
  let first3 = both0;
  for (let at = block + 16; at < end; at += 4, a += 2 * TERMS) {
    const x = v128.load32_splat(at);
    const pairs0 = v128.load(a);
    both0 = dot(both0, pairs0, x);
    first0 = dot(first0, v128.and(pairs0, mask), x);
    const pairs1 = v128.load(a, 16);
    both1 = dot(both1, pairs1, x);
    first1 = dot(first1, v128.and(pairs1, mask), x);
    const pairs2 = v128.load(a, 32);
    both2 = dot(both2, pairs2, x);
    first2 = dot(first2, v128.and(pairs2, mask), x);
    const pairs3 = v128.load(a, 48);
    both3 = dot(both3, pairs3, x);
    first3 = dot(first3, v128.and(pairs3, mask), x);
  }
  addPairs(sums, both0, first0, kept);
  addPairs(sums + 32, both1, first1, kept);
  addPairs(sums + 64, both2, first2, kept);
  addPairs(sums + 96, both3, first3, kept);
}

/**
 * `count` sums, rounded up to 16, as whole numbers of 32 bits: bytes from `a` on times `terms` numbers that roundShorts left, a
 * multiple of 4.
 *
 * A pair of bytes is a number of 16 bits, 256 times the second and the first, so that nothing has to be widened: a product with
 * it is one with both bytes, and one with the first byte alone tells them apart, since the second's sum has 24 bits.
 * @returns where the bytes end
 */
export function wholeSums(sums: usize, a: usize, shorts: usize, terms: i32, count: i32): usize {
  for (; count > 0; count -= 32, sums += 128) {
    let block = shorts;
    let kept = i32x4.splat(0);
    for (let left = terms; left > 0; left -= BLOCK) {
      const size = <usize>min(left, BLOCK);
      const end = block + 16 + (size << 1);
      if (count > 16) addThirtyTwo(sums, a, block, end, kept);
      else addSixteen(sums, a, TERMS, block, end, kept);
      a += (count > 16 ? TERMS : TERMS / 2) * size;
      block = end;
      kept = i32x4.splat(-1);
    }
  }
  return a;
}

/**
 * y = W x + bias of so many blocks, each with a part of x and of y of its own, one behind the other. W [rows, columns] is the
 * steps of its rows, filled up to a multiple of 16, then its bytes, whose terms are the columns. `sums` is scratch for as many
 * numbers as there are steps, `shorts` for numbers that roundShorts leaves.
 */
export function multiplyBytes(
  y: usize,
  w: usize,
  x: usize,
  sums: usize,
  shorts: usize,
  bias: usize,
  rows: i32,
  columns: i32,
  blocks: i32,
  relu: bool,
): void {
  const end = (<usize>rows) << 2;
  for (; blocks > 0; blocks--) {
    const factor = prepare(shorts, x, columns);
    const after = wholeSums(sums, w + ((end + 63) & ~63), shorts, columns, rows);
    for (let i: usize = 0; i < end; i += 16) {
      const steps = f32x4.mul(v128.load(w + i), factor);
      const products = f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums + i)), steps);
      const values = f32x4.add(products, v128.load(bias + i));
      v128.store(y + i, relu ? f32x4.max(values, f32x4.splat(0)) : values);
    }
    y += end;
    bias += end;
    x += (<usize>columns) << 2;
    w = after;
  }
}
