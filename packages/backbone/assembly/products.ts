// Products of rounded rows with weights of 8 and 4 bits, sixteen sums at a time.

import { blockSize, FINE, GROUP, LOW, ROUNDED, SCALE, SUM, widen } from './blocks';

/** From so many rows on, weights of 4 bits are widened for them. */
const FEW: i32 = 4;

/** Adds the products of four bytes of four rows with four bytes that every lane has. */
function dot(sum: v128, weights: v128, x: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, weights, sum);
}

/** The same with both halves of the bytes. */
function dotHalves(sum: v128, weights: v128, even: v128, odd: v128): v128 {
  const half = i8x16.splat(15);
  return dot(dot(sum, v128.and(weights, half), even), v128.and(i16x8.shr_u(weights, 4), half), odd);
}

/** A block's products as numbers, added to what was there. */
function scaled(sum: v128, products: v128, scale: v128, weightScale: v128): v128 {
  return f32x4.add(sum, f32x4.mul(f32x4.convert_i32x4_s(products), f32x4.mul(scale, weightScale)));
}

/** Sixteen sums of one row. */
function one(y: usize, w: usize, x: usize, bias: usize, blocks: i32, bits: i32): void {
  let f0 = v128.load(bias);
  let f1 = v128.load(bias, 16);
  let f2 = v128.load(bias, 32);
  let f3 = v128.load(bias, 48);
  for (const end = x + ROUNDED * blocks; x < end; x += ROUNDED, w += 64) {
    let a0 = v128.load32_splat(x, SUM);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    if (bits === 8) {
      for (let at = x; at < x + 32; at += 4, w += 64) {
        const v = v128.load32_splat(at);
        a0 = dot(a0, v128.load(w), v);
        a1 = dot(a1, v128.load(w, 16), v);
        a2 = dot(a2, v128.load(w, 32), v);
        a3 = dot(a3, v128.load(w, 48), v);
      }
    } else {
      for (let at = x; at < x + 16; at += 4, w += 64) {
        const even = v128.load32_splat(at);
        const odd = v128.load32_splat(at, 16);
        a0 = dotHalves(a0, v128.load(w), even, odd);
        a1 = dotHalves(a1, v128.load(w, 16), even, odd);
        a2 = dotHalves(a2, v128.load(w, 32), even, odd);
        a3 = dotHalves(a3, v128.load(w, 48), even, odd);
      }
    }
    const scale = v128.load32_splat(x, SCALE);
    f0 = scaled(f0, a0, scale, v128.load(w));
    f1 = scaled(f1, a1, scale, v128.load(w, 16));
    f2 = scaled(f2, a2, scale, v128.load(w, 32));
    f3 = scaled(f3, a3, scale, v128.load(w, 48));
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
  v128.store(y, f2, 32);
  v128.store(y, f3, 48);
}

/** The products of high and of low bytes as those of whole numbers of 16 bits. */
function joined(high: v128, low: v128): v128 {
  return i32x4.add(i32x4.shl(high, 8), low);
}

/** Sixteen sums of one fine row, whose bytes share every weight of 8 bits that is loaded. */
function fine(y: usize, w: usize, x: usize, bias: usize, blocks: i32): void {
  let f0 = v128.load(bias);
  let f1 = v128.load(bias, 16);
  let f2 = v128.load(bias, 32);
  let f3 = v128.load(bias, 48);
  for (const end = x + FINE * blocks; x < end; x += FINE, w += 64) {
    let a0 = v128.load32_splat(x, LOW + SUM);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let b0 = i32x4.splat(0);
    let b1 = b0;
    let b2 = b0;
    let b3 = b0;
    for (let at = x; at < x + 32; at += 4, w += 64) {
      const high = v128.load32_splat(at);
      const low = v128.load32_splat(at, LOW);
      const w0 = v128.load(w);
      a0 = dot(a0, w0, low);
      b0 = dot(b0, w0, high);
      const w1 = v128.load(w, 16);
      a1 = dot(a1, w1, low);
      b1 = dot(b1, w1, high);
      const w2 = v128.load(w, 32);
      a2 = dot(a2, w2, low);
      b2 = dot(b2, w2, high);
      const w3 = v128.load(w, 48);
      a3 = dot(a3, w3, low);
      b3 = dot(b3, w3, high);
    }
    const scale = v128.load32_splat(x, LOW + SCALE);
    f0 = scaled(f0, joined(b0, a0), scale, v128.load(w));
    f1 = scaled(f1, joined(b1, a1), scale, v128.load(w, 16));
    f2 = scaled(f2, joined(b2, a2), scale, v128.load(w, 32));
    f3 = scaled(f3, joined(b3, a3), scale, v128.load(w, 48));
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
  v128.store(y, f2, 32);
  v128.store(y, f3, 48);
}

/** Adds a block's products to four sums in memory. */
function addScaled(y: usize, products: v128, scale: v128, weightScale: v128): void {
  v128.store(y, scaled(v128.load(y), products, scale, weightScale));
}

/** Sixteen sums of two rows, which share every weight of 8 bits that is loaded; for more sums there are no registers. */
function two(y: usize, next: usize, w: usize, x: usize, stride: usize, bias: usize, blocks: i32): void {
  for (let at: usize = 0; at < GROUP << 2; at += 16) {
    v128.store(y + at, v128.load(bias + at));
    v128.store(next + at, v128.load(bias + at));
  }
  for (const end = x + ROUNDED * blocks; x < end; x += ROUNDED, w += 64) {
    const other = x + stride;
    let a0 = v128.load32_splat(x, SUM);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let b0 = v128.load32_splat(other, SUM);
    let b1 = b0;
    let b2 = b0;
    let b3 = b0;
    for (let at: usize = 0; at < 32; at += 4, w += 64) {
      const v = v128.load32_splat(x + at);
      const u = v128.load32_splat(other + at);
      const w0 = v128.load(w);
      a0 = dot(a0, w0, v);
      b0 = dot(b0, w0, u);
      const w1 = v128.load(w, 16);
      a1 = dot(a1, w1, v);
      b1 = dot(b1, w1, u);
      const w2 = v128.load(w, 32);
      a2 = dot(a2, w2, v);
      b2 = dot(b2, w2, u);
      const w3 = v128.load(w, 48);
      a3 = dot(a3, w3, v);
      b3 = dot(b3, w3, u);
    }
    const scale = v128.load32_splat(x, SCALE);
    const otherScale = v128.load32_splat(other, SCALE);
    const s0 = v128.load(w);
    addScaled(y, a0, scale, s0);
    addScaled(next, b0, otherScale, s0);
    const s1 = v128.load(w, 16);
    addScaled(y + 16, a1, scale, s1);
    addScaled(next + 16, b1, otherScale, s1);
    const s2 = v128.load(w, 32);
    addScaled(y + 32, a2, scale, s2);
    addScaled(next + 32, b2, otherScale, s2);
    const s3 = v128.load(w, 48);
    addScaled(y + 48, a3, scale, s3);
    addScaled(next + 48, b3, otherScale, s3);
  }
}

/**
 * y = W x + bias for some groups of sixteen rows of W, and for several x.
 * @param y `[tokens, rows]`, whose rows are `stride` bytes apart
 * @param x what `roundRows` left of them
 * @param isFine x are fine rows, and weights have 8 bits
 * @param wide scratch for sixteen rows of 8 bits
 */
export function multiplyGroups(
  y: usize,
  w: usize,
  x: usize,
  bias: usize,
  from: i32,
  to: i32,
  blocks: i32,
  bits: i32,
  tokens: i32,
  stride: usize,
  isFine: bool,
  wide: usize,
): void {
  const size = blockSize(bits) * blocks;
  const row = (isFine ? FINE : ROUNDED) * blocks;
  for (let group: usize = from; group < <usize>to; group++) {
    let weights = w + size * group;
    let width = bits;
    const own = bias + (group << 6);
    let target = y + (group << 6);
    let source = x;
    if (bits === 4 && tokens >= FEW) {
      widen(wide, weights, blocks);
      weights = wide;
      width = 8;
    }
    let left = tokens;
    if (isFine) {
      for (; left > 0; left--, target += stride, source += row) fine(target, weights, source, own, blocks);
    } else if (width === 8) {
      for (; left >= 2; left -= 2, target += 2 * stride, source += 2 * row) {
        two(target, target + stride, weights, source, row, own, blocks);
      }
    }
    for (; left > 0; left--, target += stride, source += row) {
      one(target, weights, source, own, blocks, width);
    }
  }
}
