// Attention to keys and values of 8 bits, in AssemblyScript.
//
// Columns stand 64 at a time, a part: [parts, heads, 64] steps, and as many bytes as bytes.ts stores, of a part's keys with the columns
// as sums, of its values with the columns as terms. So what is there so far is read in one stream, head by head.

import {
  addSixteen,
  addThirtyTwo,
  BLOCK,
  byteStep,
  greater,
  greatest,
  inverseOf,
  prepare,
  roundShorts,
  shortStep,
  TERMS,
  wholeOf,
  wholeSums,
} from './bytes';
import { lanesMax, lanesSum, pinned, SHIFTER } from './lanes';

/** Columns of a part. */
const PART: i32 = 64;

/** Numbers rounded up to 16. */
function filled(count: i32): i32 {
  return (count + 15) & ~15;
}

/** A key among a part's: its step, and its bytes, whose terms are the key's components. */
function putKey(keys: usize, steps: usize, x: usize, within: i32, width: i32): void {
  const step = byteStep(x, width);
  v128.store32_lane(steps + ((<usize>within) << 2), step, 0);
  const inverse = inverseOf(step);
  const end = x + ((<usize>width) << 2);
  let to =
    keys +
    <usize>((within >> 5) * 32 * width + ((within & 24) << 1) + ((within & 3) << 2) + ((within & 4) >> 2));
  const added = i32x4.splat(within & 4 ? 0 : 128);
  for (; x < end; x += 16, to += 4 * TERMS) {
    const four = i32x4.add(wholeOf(x, inverse), added);
    v128.store8_lane(to, four, 0);
    v128.store8_lane(to, four, 4, 2);
    v128.store8_lane(to, four, 8, 64);
    v128.store8_lane(to, four, 12, 66);
  }
}

/** A value among a part's: its step, and its bytes, whose terms are the columns. */
function putValue(values: usize, steps: usize, x: usize, within: i32, width: i32): void {
  const step = byteStep(x, width);
  v128.store32_lane(steps + ((<usize>within) << 2), step, 0);
  const inverse = inverseOf(step);
  const own = i32x4.splat(within & 1 ? 0xffff0000 : 0xffff);
  for (let done = 0; done < width; done += 8) {
    const at = x + ((<usize>done) << 2);
    const low = i32x4.add(wholeOf(at, inverse), i32x4.splat(128));
    const high = done + 4 < width ? i32x4.shl(wholeOf(at + 16, inverse), 8) : i32x4.splat(0);
    const pairs = v128.bitselect(low, high, i32x4.splat(0xff));
    const start = done & ~31;
    const wide: usize = start + 16 < width ? 64 : 32;
    const to = values + <usize>(start * PART + ((done & 24) << 1)) + <usize>(within >> 1) * wide;
    v128.store(to, v128.bitselect(i32x4.shl(pairs, within & 1 ? 16 : 0), v128.load(to), own));
  }
}

/**
 * A key and a value of `count` heads into a column, those of the heads `stride` bytes apart. Keys and values are those of the first
 * of these in the first part, of so many heads in all. Widths are multiples of 4.
 */
export function putRows(
  keys: usize,
  keySteps: usize,
  values: usize,
  valueSteps: usize,
  key: usize,
  value: usize,
  stride: usize,
  count: i32,
  heads: i32,
  column: i32,
  keyWidth: i32,
  valueWidth: i32,
): void {
  const ofKeys = <usize>(PART * keyWidth);
  const ofValues = <usize>(PART * filled(valueWidth));
  const before = <usize>(column / PART) * <usize>heads;
  const within = column % PART;
  keys += before * ofKeys;
  values += before * ofValues;
  keySteps += before * (4 * PART);
  valueSteps += before * (4 * PART);
  for (; count > 0; count--) {
    putKey(keys, keySteps, key, within, keyWidth);
    putValue(values, valueSteps, value, within, valueWidth);
    key += stride;
    value += stride;
    keys += ofKeys;
    values += ofValues;
    keySteps += 4 * PART;
    valueSteps += 4 * PART;
  }
}

/** Lanes before `count`, which is at most 4. */
function firstLanes(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}

/**
 * Whole sums times the steps of their keys, in place, and nothing behind them.
 * @returns the highest and what is `highest` already, lane by lane
 */
function scale(scores: usize, steps: usize, count: i32, factor: v128, highest: v128): v128 {
  const nothing = f32x4.splat(-Infinity as f32);
  for (let row = 0; row < count; row += 4) {
    const at = scores + ((<usize>row) << 2);
    const step = f32x4.mul(v128.load(steps + ((<usize>row) << 2)), factor);
    let four = f32x4.mul(f32x4.convert_i32x4_s(v128.load(at)), step);
    if (row + 4 > count) four = v128.bitselect(four, nothing, firstLanes(count - row));
    v128.store(at, four);
    highest = f32x4.pmax(four, highest);
  }
  return highest;
}

/**
 * Softmax of scores in powers of two, each times the step of its value, as numbers that roundShorts left. Powers are a polynomial of
 * what is left of a score beside a whole number, which is added to the exponent: within 8e-5 of themselves.
 * @param steps of a part, `stride` bytes from one part to the next
 * @returns what one of these is worth, in every lane
 */
function weigh(scores: usize, steps: usize, stride: usize, shorts: usize, count: i32, highest: v128): v128 {
  const top = pinned(lanesMax(highest));
  const lowest = pinned(f32x4.splat(-125));
  const shifter = pinned(f32x4.splat(SHIFTER));
  const p3 = pinned(f32x4.splat(0.05517166909261008));
  const p2 = pinned(f32x4.splat(0.24261112222375328));
  const p1 = pinned(f32x4.splat(0.6932609854542462));
  const p0 = pinned(f32x4.splat(0.9999280735351597));
  let powers = f32x4.splat(0);
  let largest = powers;
  let largestSum = powers;
  let at = scores;
  for (let left = count; left > 0; left -= PART, steps += stride) {
    const size = min(left, PART);
    let sums = f32x4.splat(0);
    for (let row = 0; row < size; row += 4, at += 16) {
      const score = f32x4.pmax(f32x4.sub(v128.load(at), top), lowest);
      const shifted = f32x4.add(score, shifter);
      const rest = f32x4.sub(score, f32x4.sub(shifted, shifter));
      const high = f32x4.mul(f32x4.add(f32x4.mul(p3, rest), p2), f32x4.mul(rest, rest));
      const low = f32x4.add(f32x4.mul(p1, rest), p0);
      const power = i32x4.add(f32x4.add(high, low), i32x4.shl(shifted, 23));
      powers = f32x4.add(powers, power);
      let step = v128.load(steps + ((<usize>row) << 2));
      // Behind the last column the step may be anything.
      if (row + 4 > size) step = v128.and(step, firstLanes(size - row));
      const weight = f32x4.mul(power, step);
      sums = f32x4.add(sums, weight);
      largest = greater(largest, weight);
      v128.store(at, weight);
    }
    largestSum = greater(largestSum, lanesSum(sums));
  }
  const step = shortStep(greatest(largest), largestSum, count);
  roundShorts(shorts, scores, (count + 3) & ~3, step, PART);
  return f32x4.div(step, lanesSum(powers));
}

/** Bytes of scratch for a query: its factor, its highest scores, and what roundShorts makes of it. */
function queryRoom(keyWidth: i32): usize {
  return 64 + ((<usize>keyWidth) << 2);
}

/** Bytes of scratch for the weights of so many columns: what one is worth, and what roundShorts makes of them. */
function weightRoom(span: i32): usize {
  return 16 + <usize>(span / PART) * (16 + 2 * PART);
}

/**
 * y = softmax(q Kᵀ scale) V of one query per head over the first `count` columns that putRows left, queries `stride` bytes
 * apart. Scratch: `scores` for as many numbers per head as columns rounded up to 64, and as values are wide rounded up to 16; `shorts`
 * for queryRoom and weightRoom per head.
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
  factor: f32,
): void {
  const span = (count + PART - 1) & ~(PART - 1);
  const ofQuery = queryRoom(keyWidth);
  const ofWeights = weightRoom(span);
  const weights = shorts + <usize>heads * ofQuery;
  const all = <usize>heads * (4 * PART);
  const inPowers = f32x4.splat(factor * <f32>Math.LOG2E);
  for (let head: usize = 0; head < <usize>heads; head++) {
    const own = shorts + head * ofQuery;
    v128.store(own, f32x4.mul(inPowers, prepare(own + 32, query + head * stride, keyWidth)));
    v128.store(own, f32x4.splat(-Infinity as f32), 16);
  }
  for (let first = 0; first < count; first += PART) {
    const size = min(count - first, PART);
    for (let head: usize = 0; head < <usize>heads; head++) {
      const own = shorts + head * ofQuery;
      const to = scores + ((head * <usize>span + <usize>first) << 2);
      scoreKeys(to, keys, own + 32, keyWidth, size);
      v128.store(own, scale(to, keySteps, size, v128.load(own), v128.load(own, 16)), 16);
      keys += <usize>(PART * keyWidth);
      keySteps += 4 * PART;
    }
  }
  for (let head: usize = 0; head < <usize>heads; head++) {
    const own = weights + head * ofWeights;
    const highest = v128.load(shorts + head * ofQuery, 16);
    const steps = valueSteps + head * (4 * PART);
    v128.store(own, weigh(scores + head * ((<usize>span) << 2), steps, all, own + 16, count, highest));
  }
  const wide = filled(valueWidth);
  for (let first = 0; first < count; first += PART) {
    const terms = (min(count - first, PART) + 3) & ~3;
    const kept = i32x4.splat(first ? -1 : 0);
    for (let head: usize = 0; head < <usize>heads; head++) {
      const block = weights + head * ofWeights + 16 + <usize>(first / PART) * (16 + 2 * PART);
      addValues(scores + head * ((<usize>wide) << 2), values, block, terms, wide, kept);
      values += <usize>(PART * wide);
    }
  }
  for (let head: usize = 0; head < <usize>heads; head++) {
    const share = v128.load(weights + head * ofWeights);
    const sums = scores + head * ((<usize>wide) << 2);
    for (let i: usize = 0; i < (<usize>valueWidth) << 2; i += 16) {
      v128.store(y + i, f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums + i)), share));
    }
    y += (<usize>valueWidth) << 2;
  }
}

/** Whole sums of a query with a part's first `count` keys. */
function scoreKeys(sums: usize, keys: usize, shorts: usize, width: i32, count: i32): void {
  const whole = (count + (width > BLOCK ? 31 : 15)) & ~31;
  if (whole) wholeSums(sums, keys, shorts, width, whole);
  if (whole >= count) return;
  // The bytes of the last sixteen stand beside those of others.
  const end = shorts + 16 + ((<usize>width) << 1);
  addSixteen(
    sums + ((<usize>whole) << 2),
    keys + <usize>(whole * width),
    2 * TERMS,
    shorts,
    end,
    i32x4.splat(0),
  );
}

/** Adds a part's products of weights and values to sums of which those of the bits `kept` are there. */
function addValues(sums: usize, values: usize, block: usize, terms: i32, width: i32, kept: v128): void {
  const end = block + 16 + ((<usize>terms) << 1);
  for (let left = width; left > 0; left -= 32, sums += 128, values += 32 * PART) {
    if (left > 16) addThirtyTwo(sums, values, block, end, kept);
    else addSixteen(sums, values, TERMS, block, end, kept);
  }
}
