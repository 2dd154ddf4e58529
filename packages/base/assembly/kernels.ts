// The inner loops of decoding one token, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes, all
// numbers float32; widths are multiples of 4. `node scripts/kernels.mjs base` compiles this file into src/kernels-wasm.ts.

import { exponential, laneSum, laneSums, lanesMax } from './lanes';

export { attendBytes, putRows } from './byte-attention';
export { multiplyBytes, roundBytes } from './bytes';
export { blockLargest, blockShares } from './draws';
export { addRootNormalised, gruState, lstmState, positive, recall, remember, swiGlu } from './memories';
export { fadeInSpectra, receive } from './spectra';

/**
 * y = W x + bias of so many blocks, each with a part of x and of y of its own, one behind the other. W [rows, columns] is stored
 * four rows by four columns at a time, [rows / 4, columns / 4, 4, 4], so that it is read in one stream: a token costs what
 * reading the weights costs.
 */
export function multiply(
  y: usize,
  w: usize,
  x: usize,
  bias: usize,
  rows: i32,
  columns: i32,
  blocks: i32,
  relu: bool,
): void {
  const zero = f32x4.splat(0);
  let a = w;
  for (; blocks > 0; blocks--) {
    const end = x + ((<usize>columns) << 2);
    for (let row = 0; row < rows; row += 4) {
      let s0 = zero;
      let s1 = zero;
      let s2 = zero;
      let s3 = zero;
      for (let at = x; at < end; at += 16, a += 64) {
        const values = v128.load(at);
        s0 = f32x4.add(s0, f32x4.mul(v128.load(a), values));
        s1 = f32x4.add(s1, f32x4.mul(v128.load(a, 16), values));
        s2 = f32x4.add(s2, f32x4.mul(v128.load(a, 32), values));
        s3 = f32x4.add(s3, f32x4.mul(v128.load(a, 48), values));
      }
      const sums = f32x4.add(laneSums(s0, s1, s2, s3), v128.load(bias));
      v128.store(y, relu ? f32x4.max(sums, zero) : sums);
      y += 16;
      bias += 16;
    }
    x = end;
  }
}

/** sum += branch, and y = gain (sum - mean) / sqrt(var + 1e-5) + bias. */
export function addNormalised(
  y: usize,
  sum: usize,
  branch: usize,
  gain: usize,
  bias: usize,
  width: i32,
): void {
  const bytes = (<usize>width) << 2;
  let total = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = f32x4.add(v128.load(sum + i), v128.load(branch + i));
    v128.store(sum + i, value);
    total = f32x4.add(total, value);
  }
  const mean = f32x4.splat(laneSum(total) / <f32>width);
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = f32x4.sub(v128.load(sum + i), mean);
    squares = f32x4.add(squares, f32x4.mul(value, value));
  }
  const inverse = f32x4.splat(<f32>1 / sqrt<f32>(laneSum(squares) / <f32>width + <f32>1e-5));
  for (let i: usize = 0; i < bytes; i += 16) {
    const normal = f32x4.mul(f32x4.sub(v128.load(sum + i), mean), inverse);
    v128.store(y + i, f32x4.add(f32x4.mul(normal, v128.load(gain + i)), v128.load(bias + i)));
  }
}

/**
 * One more token in the running sums of an online softmax per slot: with score = query · source and the highest score so far,
 * sum = sum e^(peak - highest) + source e^(score - highest), and total alike.
 * sum and queries are [slots, width], peak and total [slots].
 */
export function pool(
  sum: usize,
  peak: usize,
  total: usize,
  queries: usize,
  source: usize,
  slots: i32,
  width: i32,
): void {
  const stride = (<usize>width) << 2;
  for (let slot: usize = 0; slot < <usize>slots; slot++) {
    const query = queries + slot * stride;
    let product = f32x4.splat(0);
    for (let i: usize = 0; i < stride; i += 16) {
      product = f32x4.add(product, f32x4.mul(v128.load(query + i), v128.load(source + i)));
    }
    const score = laneSum(product);
    const before = load<f32>(peak + (slot << 2));
    const highest = max<f32>(before, score);
    const both = exponential(f32x4.replace_lane(f32x4.splat(score - highest), 0, before - highest));
    const fade = f32x4.splat(f32x4.extract_lane(both, 0));
    const weight = f32x4.splat(f32x4.extract_lane(both, 1));
    const row = sum + slot * stride;
    for (let i: usize = 0; i < stride; i += 16) {
      v128.store(
        row + i,
        f32x4.add(f32x4.mul(v128.load(row + i), fade), f32x4.mul(v128.load(source + i), weight)),
      );
    }
    const at = slot << 2;
    store<f32>(peak + at, highest);
    store<f32>(total + at, load<f32>(total + at) * f32x4.extract_lane(both, 0) + f32x4.extract_lane(both, 1));
  }
}

/** Scores of one query and the highest of them; four keys at a time, so that their sums do not wait for each other. */
function scoreKeys(query: usize, keys: usize, scores: usize, count: i32, stride: usize, scale: f32): f32 {
  const factor = f32x4.splat(scale);
  const whole = count & ~3;
  let highest = f32x4.splat(-Infinity as f32);
  let key = keys;
  for (let row = 0; row < whole; row += 4, key += stride << 2) {
    const key1 = key + stride;
    const key2 = key1 + stride;
    const key3 = key2 + stride;
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let i: usize = 0; i < stride; i += 16) {
      const q = v128.load(query + i);
      s0 = f32x4.add(s0, f32x4.mul(q, v128.load(key + i)));
      s1 = f32x4.add(s1, f32x4.mul(q, v128.load(key1 + i)));
      s2 = f32x4.add(s2, f32x4.mul(q, v128.load(key2 + i)));
      s3 = f32x4.add(s3, f32x4.mul(q, v128.load(key3 + i)));
    }
    const four = f32x4.mul(laneSums(s0, s1, s2, s3), factor);
    v128.store(scores + ((<usize>row) << 2), four);
    highest = f32x4.pmax(four, highest);
  }
  let top = f32x4.extract_lane(lanesMax(highest), 0);
  for (let row = whole; row < count; row++, key += stride) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < stride; i += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(query + i), v128.load(key + i)));
    }
    const score = laneSum(sum) * scale;
    store<f32>(scores + ((<usize>row) << 2), score);
    top = max<f32>(top, score);
  }
  return top;
}

/** y = Σ weights values, four rows at a time, so that y is read and written once for all of them. */
function sumValues(y: usize, weights: usize, values: usize, count: i32, stride: usize): void {
  for (let i: usize = 0; i < stride; i += 16) v128.store(y + i, f32x4.splat(0));
  const whole = count & ~3;
  let value = values;
  for (let row = 0; row < whole; row += 4, value += stride << 2) {
    const at = weights + ((<usize>row) << 2);
    const w0 = v128.load32_splat(at);
    const w1 = v128.load32_splat(at, 4);
    const w2 = v128.load32_splat(at, 8);
    const w3 = v128.load32_splat(at, 12);
    const value1 = value + stride;
    const value2 = value1 + stride;
    const value3 = value2 + stride;
    for (let i: usize = 0; i < stride; i += 16) {
      const first = f32x4.add(f32x4.mul(w0, v128.load(value + i)), f32x4.mul(w1, v128.load(value1 + i)));
      const second = f32x4.add(f32x4.mul(w2, v128.load(value2 + i)), f32x4.mul(w3, v128.load(value3 + i)));
      v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.add(first, second)));
    }
  }
  for (let row = whole; row < count; row++, value += stride) {
    const weight = v128.load32_splat(weights + ((<usize>row) << 2));
    for (let i: usize = 0; i < stride; i += 16) {
      v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(weight, v128.load(value + i))));
    }
  }
}

/**
 * y = softmax(q Kᵀ scale) V of one query over `count` rows of keys and values. `scores` has room for count + 3 numbers: what it
 * gives times what is left there are the probabilities.
 */
export function attend(
  y: usize,
  query: usize,
  keys: usize,
  values: usize,
  scores: usize,
  count: i32,
  keyWidth: i32,
  valueWidth: i32,
  scale: f32,
): f32 {
  const valueStride = (<usize>valueWidth) << 2;
  const shift = f32x4.splat(scoreKeys(query, keys, scores, count, (<usize>keyWidth) << 2, scale));
  const whole = count & ~3;
  let sums = f32x4.splat(0);
  // Up to three numbers behind the last score are changed too, and never used.
  for (let row = 0; row < count; row += 4) {
    const at = scores + ((<usize>row) << 2);
    const power = exponential(f32x4.sub(v128.load(at), shift));
    v128.store(at, power);
    if (row < whole) sums = f32x4.add(sums, power);
  }
  let total = laneSum(sums);
  for (let row = whole; row < count; row++) total += load<f32>(scores + ((<usize>row) << 2));
  sumValues(y, scores, values, count, valueStride);
  const share = <f32>1 / total;
  const inverse = f32x4.splat(share);
  for (let i: usize = 0; i < valueStride; i += 16) {
    v128.store(y + i, f32x4.mul(v128.load(y + i), inverse));
  }
  return share;
}

/**
 * x Φ(x) in place, count numbers rounded up to 4: Φ by the rational approximation 7.1.26 of Abramowitz and Stegun, whose
 * absolute error is below 1.5e-7.
 */
export function gelu(x: usize, count: i32): void {
  const one = f32x4.splat(1);
  const end = x + ((<usize>count) << 2);
  for (let at = x; at < end; at += 16) {
    const value = v128.load(at);
    const z = f32x4.abs(f32x4.mul(value, f32x4.splat(0.7071067811865476)));
    const t = f32x4.div(one, f32x4.add(one, f32x4.mul(z, f32x4.splat(0.3275911))));
    let p = f32x4.splat(1.061405429);
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-1.453152027));
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(1.421413741));
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-0.284496736));
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.254829592));
    const tail = f32x4.mul(f32x4.mul(p, t), exponential(f32x4.neg(f32x4.mul(z, z))));
    // Φ(|x|) = 1 - tail / 2, and Φ(-|x|) = tail / 2.
    const half = f32x4.mul(tail, f32x4.splat(0.5));
    const isNegative = f32x4.lt(value, f32x4.splat(0));
    const phi = v128.bitselect(half, f32x4.sub(one, half), isNegative);
    v128.store(at, f32x4.mul(value, phi));
  }
}

/**
 * Rotary positions of `rows` rows that are `stride` bytes apart: the pairs (i, i + pairs) are turned by their angles.
 */
export function turn(x: usize, rows: i32, stride: usize, cos: usize, sin: usize, pairs: i32): void {
  const half = (<usize>pairs) << 2;
  for (let row = 0; row < rows; row++, x += stride) {
    let i: usize = 0;
    for (; i + 16 <= half; i += 16) {
      const a = v128.load(x + i);
      const b = v128.load(x + half + i);
      const c = v128.load(cos + i);
      const s = v128.load(sin + i);
      v128.store(x + i, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
      v128.store(x + half + i, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
    }
    for (; i < half; i += 4) {
      const a = load<f32>(x + i);
      const b = load<f32>(x + half + i);
      const c = load<f32>(cos + i);
      const s = load<f32>(sin + i);
      store<f32>(x + i, a * c - b * s);
      store<f32>(x + half + i, b * c + a * s);
    }
  }
}
