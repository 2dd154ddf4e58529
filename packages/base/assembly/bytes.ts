// Products with rows of 8 bits, in AssemblyScript. A row is its whole numbers from -127 to 127 times a step of its own. The
// other factor is rounded to whole numbers of up to 16 bits, so that products and their sums are exact in 32.

import { laneMax, laneSum, SHIFTER } from './lanes';

/** The greatest distance from 0; NaN where one is. `count` is a multiple of 4. */
function largestOf(x: usize, count: i32): f32 {
  // In the order of their bits NaN is the greatest of all.
  let largest = f32x4.splat(0);
  const end = x + ((<usize>count) << 2);
  for (let at = x; at < end; at += 16) largest = i32x4.max_s(largest, f32x4.abs(v128.load(at)));
  return laneMax(largest);
}

/**
 * The step of a row of bytes: 16 significant bits, rounded up, so that a byte times the step is exact, and rounding such a
 * row again gives the same bytes and the same step. Rows near nothing are nothing.
 */
function byteStep(largest: f32): f32 {
  if (largest < 1e-30) return 0;
  return reinterpret<f32>((reinterpret<u32>(largest / 127) + 0xff) & 0xffffff00);
}

/** What numbers are multiplied by to be counted in steps. */
function inverseOf(step: f32): v128 {
  return f32x4.splat(step > 1e-36 ? <f32>1 / step : 0);
}

/** Eight numbers as whole ones of 16 bits; the last four are 0 from `end` on. */
function shortsOf(x: usize, end: usize, inverse: v128): v128 {
  const shifter = f32x4.splat(SHIFTER);
  const low = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), inverse), shifter), shifter);
  const high = x + 16 < end ? v128.load(x, 16) : f32x4.splat(0);
  const rounded = i32x4.sub(f32x4.add(f32x4.mul(high, inverse), shifter), shifter);
  return i16x8.narrow_i32x4_s(low, rounded);
}

/** The largest whole number that may meet `terms` bytes in a sum of 32 bits. */
function largestShort(terms: i32): i32 {
  return min(32_767, 2_147_483_647 / (127 * terms));
}

/** Rounds numbers in steps to 16 bits, with zeros behind them up to a multiple of 8. */
function roundShorts(to: usize, x: usize, count: i32, step: f32): void {
  const inverse = inverseOf(step);
  const end = x + ((<usize>count) << 2);
  for (let at = x; at < end; at += 32, to += 16) v128.store(to, shortsOf(at, end, inverse));
}

/** A row as bytes, one behind the other, with zeros up to a multiple of 8. @returns its step */
export function roundBytes(to: usize, x: usize, count: i32): f32 {
  const step = byteStep(largestOf(x, count));
  const inverse = inverseOf(step);
  const end = x + ((<usize>count) << 2);
  for (let at = x; at < end; at += 32, to += 8) {
    const shorts = shortsOf(at, end, inverse);
    v128.store64_lane(to, i8x16.narrow_i16x8_s(shorts, shorts), 0);
  }
  return step;
}

/**
 * Bytes are stored for sums of sixteen numbers at a time: [sums / 16, terms / 2, 16, 2], so that a lane of 32 bits is one sum.
 * Bytes of one term of all sixteen.
 */
const TERM: usize = 16;

/** Sixteens that hold so many numbers. */
function sixteens(count: i32): usize {
  return (<usize>count + 15) >> 4;
}

/** A key into a column: its step, and its bytes, whose terms are the key's components. */
function putKey(keys: usize, steps: usize, x: usize, column: i32, width: i32): void {
  const step = byteStep(largestOf(x, width));
  store<f32>(steps + ((<usize>column) << 2), step);
  const inverse = inverseOf(step);
  const end = x + ((<usize>width) << 2);
  let to = keys + <usize>(column >> 4) * <usize>width * TERM + ((<usize>(column & 15)) << 1);
  for (let at = x; at < end; at += 32, to += 8 * TERM) {
    const shorts = shortsOf(at, end, inverse);
    const bytes = i8x16.narrow_i16x8_s(shorts, shorts);
    v128.store16_lane(to, bytes, 0);
    v128.store16_lane(to, bytes, 1, 32);
    if (at + 16 >= end) break;
    v128.store16_lane(to, bytes, 2, 64);
    v128.store16_lane(to, bytes, 3, 96);
  }
}

/** A value into a column: its step, and its bytes, whose terms are the columns. */
function putValue(values: usize, steps: usize, x: usize, column: i32, width: i32, room: i32): void {
  const step = byteStep(largestOf(x, width));
  store<f32>(steps + ((<usize>column) << 2), step);
  const inverse = inverseOf(step);
  const end = x + ((<usize>width) << 2);
  const own = i32x4.splat(column & 1 ? 0xff00ff00 : 0x00ff00ff);
  let to = values + ((<usize>(column >> 1)) << 5);
  for (let at = x, half = 0; at < end; at += 32, half ^= 1) {
    const bytes = i16x8.shl(shortsOf(at, end, inverse), column & 1 ? 8 : 0);
    v128.store(to, v128.bitselect(bytes, v128.load(to), own));
    to += half ? ((<usize>room) << 4) - 16 : 16;
  }
}

/**
 * A key and a value of every head into a column, those of the heads `stride` bytes apart. A head's keys and values have
 * `room` columns, a multiple of 16, and widths that are multiples of 4.
 */
export function putRows(
  keys: usize,
  keySteps: usize,
  values: usize,
  valueSteps: usize,
  key: usize,
  value: usize,
  stride: usize,
  heads: i32,
  column: i32,
  keyWidth: i32,
  valueWidth: i32,
  room: i32,
): void {
  for (let head = 0; head < heads; head++) {
    putKey(keys, keySteps, key, column, keyWidth);
    putValue(values, valueSteps, value, column, valueWidth, room);
    key += stride;
    value += stride;
    keys += <usize>(room * keyWidth);
    values += <usize>room * sixteens(valueWidth) * TERM;
    keySteps += (<usize>room) << 2;
    valueSteps += (<usize>room) << 2;
  }
}

/** Four sums of two products each, added to `sum`: eight bytes against numbers of 16 bits. */
function dot(sum: v128, bytes: v128, shorts: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(bytes, shorts));
}

/**
 * Sums as whole numbers of 32 bits, sixteen at a time: bytes from `a` on, each sixteen `stride` bytes after the one before,
 * times the numbers of 16 bits from `shorts` to `end`, of which there are a multiple of 4.
 */
function wholeSums(sums: usize, a: usize, stride: usize, shorts: usize, end: usize, groups: usize): void {
  const last = sums + (groups << 6);
  for (; sums < last; sums += 64, a += stride) {
    let s0 = i32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let from = a;
    for (let at = shorts; at < end; at += 8, from += 4 * TERM) {
      const first = v128.load32_splat(at);
      s0 = dot(s0, v128.load8x8_s(from), first);
      s1 = dot(s1, v128.load8x8_s(from, 8), first);
      s2 = dot(s2, v128.load8x8_s(from, 16), first);
      s3 = dot(s3, v128.load8x8_s(from, 24), first);
      const second = v128.load32_splat(at, 4);
      s0 = dot(s0, v128.load8x8_s(from, 32), second);
      s1 = dot(s1, v128.load8x8_s(from, 40), second);
      s2 = dot(s2, v128.load8x8_s(from, 48), second);
      s3 = dot(s3, v128.load8x8_s(from, 56), second);
    }
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
    v128.store(sums, s2, 32);
    v128.store(sums, s3, 48);
  }
}

/** Rounds x to 16 bits for products with bytes. @returns the step */
function prepare(shorts: usize, x: usize, columns: i32): f32 {
  const step = largestOf(x, columns) / <f32>largestShort(columns);
  roundShorts(shorts, x, columns, step);
  return step;
}

/**
 * y = W x + bias. W [rows, columns] is the steps of its rows, filled up to a multiple of 16, then its bytes, whose terms are
 * the columns. `sums` is scratch for as many numbers as there are steps, `shorts` for numbers of 16 bits, as many as columns
 * filled up to 8.
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
  relu: bool,
): void {
  const factor = f32x4.splat(prepare(shorts, x, columns));
  const groups = sixteens(rows);
  const bytes = w + (groups << 6);
  wholeSums(sums, bytes, (<usize>columns) << 4, shorts, shorts + ((<usize>columns) << 1), groups);
  const end = (<usize>rows) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const steps = f32x4.mul(v128.load(w + i), factor);
    const products = f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums + i)), steps);
    const values = f32x4.add(products, v128.load(bias + i));
    v128.store(y + i, relu ? f32x4.max(values, f32x4.splat(0)) : values);
  }
}

/** 2^x of four numbers of at most 0, within 4e-6 of themselves: a polynomial, to whose exponent the whole part is added. */
function powerOfTwo(x: v128): v128 {
  const shifter = f32x4.splat(SHIFTER);
  const bounded = f32x4.pmax(x, f32x4.splat(-125));
  const shifted = f32x4.add(bounded, shifter);
  const r = f32x4.sub(bounded, f32x4.sub(shifted, shifter));
  let p = f32x4.splat(0.009666368515387434);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.05592197584225626));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.24022349038020338));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.693121045203427));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** Whole sums times the steps of their keys, in place, `count` of them rounded up to 4. @returns the highest of the first */
function scoresOf(scores: usize, steps: usize, count: i32, factor: f32): f32 {
  const factors = f32x4.splat(factor);
  let highest = f32x4.splat(-Infinity as f32);
  for (let row = 0; row < count; row += 4) {
    const at = scores + ((<usize>row) << 2);
    const step = f32x4.mul(v128.load(steps + ((<usize>row) << 2)), factors);
    const four = f32x4.mul(f32x4.convert_i32x4_s(v128.load(at)), step);
    v128.store(at, four);
    if (row + 4 <= count) highest = f32x4.pmax(four, highest);
  }
  let top = laneMax(highest);
  for (let row = count & ~3; row < count; row++) {
    top = max<f32>(top, load<f32>(scores + ((<usize>row) << 2)));
  }
  return top;
}

/** The greatest of the first `count` numbers, none of which is below 0. */
function largestFirst(x: usize, count: i32): f32 {
  let largest = largestOf(x, count & ~3);
  for (let i = count & ~3; i < count; i++) largest = max<f32>(largest, load<f32>(x + ((<usize>i) << 2)));
  return largest;
}

/**
 * Softmax of scores in powers of two, each times the step of its value, as numbers of 16 bits, with zeros up to a multiple
 * of 4. @returns what one of these is worth
 */
function weigh(scores: usize, steps: usize, shorts: usize, count: i32, top: f32): f32 {
  const nothing = -Infinity as f32;
  for (let row = count; row & 3; row++) store<f32>(scores + ((<usize>row) << 2), nothing);
  const shift = f32x4.splat(top);
  const step = largestFirst(steps, count) / <f32>largestShort(count);
  const inverse = inverseOf(step);
  const shifter = f32x4.splat(SHIFTER);
  let sums = f32x4.splat(0);
  for (let row = 0; row < count; row += 4) {
    const offset = (<usize>row) << 2;
    const score = v128.load(scores + offset);
    // Behind the last column the step may be anything.
    const isThere = f32x4.ne(score, f32x4.splat(nothing));
    const power = v128.and(powerOfTwo(f32x4.sub(score, shift)), isThere);
    sums = f32x4.add(sums, power);
    const weight = f32x4.mul(f32x4.mul(power, v128.load(steps + offset)), inverse);
    const whole = v128.and(i32x4.sub(f32x4.add(weight, shifter), shifter), isThere);
    v128.store64_lane(shorts + (offset >> 1), i16x8.narrow_i32x4_s(whole, whole), 0);
  }
  return step / laneSum(sums);
}

/**
 * y = softmax(q Kᵀ scale) V of one query per head over the first `count` columns that putRows left, queries `stride` bytes
 * apart. `scores` is scratch for `count` numbers, and at least as many as values are wide, rounded up to 16; `shorts` for
 * numbers of 16 bits, `count` of them, and at least as many as keys are wide, rounded up to 8.
 */
export function attendBytes(
  y: usize,
  query: usize,
  stride: usize,
  keys: usize,
  keySteps: usize,
  values: usize,
  valueSteps: usize,
  scores: usize,
  shorts: usize,
  heads: i32,
  count: i32,
  keyWidth: i32,
  valueWidth: i32,
  room: i32,
  scale: f32,
): void {
  const inPowers = scale * <f32>Math.LOG2E;
  for (let head = 0; head < heads; head++) {
    const factor = inPowers * prepare(shorts, query, keyWidth);
    const queryEnd = shorts + ((<usize>keyWidth) << 1);
    wholeSums(scores, keys, (<usize>keyWidth) << 4, shorts, queryEnd, sixteens(count));
    const top = scoresOf(scores, keySteps, count, factor);
    const share = f32x4.splat(weigh(scores, valueSteps, shorts, count, top));
    const end = shorts + ((<usize>((count + 3) & ~3)) << 1);
    wholeSums(scores, values, (<usize>room) << 4, shorts, end, sixteens(valueWidth));
    for (let i: usize = 0; i < (<usize>valueWidth) << 2; i += 16) {
      v128.store(y + i, f32x4.mul(f32x4.convert_i32x4_s(v128.load(scores + i)), share));
    }
    y += (<usize>valueWidth) << 2;
    query += stride;
    keys += <usize>(room * keyWidth);
    values += <usize>room * sixteens(valueWidth) * TERM;
    keySteps += (<usize>room) << 2;
    valueSteps += (<usize>room) << 2;
  }
}
