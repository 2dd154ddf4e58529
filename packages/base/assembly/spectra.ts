// What tokens received of others' attention, and its spectra: a column is one token's signal, and four columns are
// transformed at once.

/** y = factor x, or y + factor x if `adds`, of count numbers. */
export function addScaled(y: usize, x: usize, count: i32, factor: f32, adds: bool): void {
  const factors = f32x4.splat(factor);
  const whole = y + ((<usize>(count & ~3)) << 2);
  const end = y + ((<usize>count) << 2);
  if (adds) {
    for (; y < whole; y += 16, x += 16) {
      v128.store(y, f32x4.add(v128.load(y), f32x4.mul(factors, v128.load(x))));
    }
    for (; y < end; y += 4, x += 4) store<f32>(y, load<f32>(y) + factor * load<f32>(x));
  } else {
    for (; y < whole; y += 16, x += 16) v128.store(y, f32x4.mul(factors, v128.load(x)));
    for (; y < end; y += 4, x += 4) store<f32>(y, factor * load<f32>(x));
  }
}

/** A sample of four columns, times its weight. */
function sample(rows: usize, window: usize, column: usize): v128 {
  return f32x4.mul(v128.load(<usize>load<u32>(rows) + column), v128.load32_splat(window));
}

/**
 * Transforms of eight samples, which stand in bit-reversed order; real parts of frequencies 0 to 4, then imaginary parts of 3 to 1.
 */
function transformEight(x: usize, rows: usize, window: usize, column: usize): void {
  const x0 = sample(rows, window, column);
  const x1 = sample(rows + 4, window + 4, column);
  const x2 = sample(rows + 8, window + 8, column);
  const x3 = sample(rows + 12, window + 12, column);
  const x4 = sample(rows + 16, window + 16, column);
  const x5 = sample(rows + 20, window + 20, column);
  const x6 = sample(rows + 24, window + 24, column);
  const x7 = sample(rows + 28, window + 28, column);
  const a = f32x4.add(x0, x1);
  const b = f32x4.sub(x0, x1);
  const c = f32x4.add(x2, x3);
  const d = f32x4.sub(x2, x3);
  const e = f32x4.add(x4, x5);
  const f = f32x4.sub(x4, x5);
  const g = f32x4.add(x6, x7);
  const h = f32x4.sub(x6, x7);
  const even = f32x4.add(a, c);
  const odd = f32x4.add(e, g);
  const turned = f32x4.mul(f32x4.sub(f, h), f32x4.splat(0.7071067811865476));
  const other = f32x4.mul(f32x4.add(f, h), f32x4.splat(0.7071067811865476));
  v128.store(x, f32x4.add(even, odd));
  v128.store(x, f32x4.add(b, turned), 16);
  v128.store(x, f32x4.sub(a, c), 32);
  v128.store(x, f32x4.sub(b, turned), 48);
  v128.store(x, f32x4.sub(even, odd), 64);
  v128.store(x, f32x4.sub(d, other), 80);
  v128.store(x, f32x4.sub(g, e), 96);
  v128.store(x, f32x4.neg(f32x4.add(d, other)), 112);
}

/** The transform of twice `half` samples from those of the even and of the odd ones, in place. */
function combine(x: usize, half: i32, turns: usize): void {
  const odd = x + ((<usize>half) << 4);
  const quarter = (<usize>half) << 3;
  const a = v128.load(x);
  const b = v128.load(odd);
  v128.store(x, f32x4.add(a, b));
  v128.store(odd, f32x4.sub(a, b));
  v128.store(odd + quarter, f32x4.neg(v128.load(odd + quarter)));
  let low = x + 16;
  let high = odd + 16;
  let mirror = odd - 16;
  let last = odd + quarter * 2 - 16;
  for (; low < mirror; low += 16, high += 16, mirror -= 16, last -= 16, turns += 8) {
    const cos = v128.load32_splat(turns);
    const sin = v128.load32_splat(turns, 4);
    const re = v128.load(high);
    const im = v128.load(last);
    const turnedRe = f32x4.add(f32x4.mul(re, cos), f32x4.mul(im, sin));
    const turnedIm = f32x4.sub(f32x4.mul(im, cos), f32x4.mul(re, sin));
    const evenRe = v128.load(low);
    const evenIm = v128.load(mirror);
    v128.store(low, f32x4.add(evenRe, turnedRe));
    v128.store(last, f32x4.add(evenIm, turnedIm));
    v128.store(mirror, f32x4.sub(evenRe, turnedRe));
    v128.store(high, f32x4.sub(turnedIm, evenIm));
  }
}

/** y = decay y + size. */
function fade(y: usize, decay: v128, size: v128): void {
  v128.store(y, f32x4.add(f32x4.mul(decay, v128.load(y)), size));
}

function magnitude(re: v128, im: v128): v128 {
  return f32x4.sqrt(f32x4.add(f32x4.mul(re, re), f32x4.mul(im, im)));
}

/** The last `combine`, whose frequencies go into the averages at once; nobody asks for their signs. */
function fadeIn(y: usize, stride: usize, x: usize, half: i32, turns: usize, decay: v128): void {
  const odd = x + ((<usize>half) << 4);
  const quarter = (<usize>half) << 3;
  const a = v128.load(x);
  const b = v128.load(odd);
  let top = y + stride * <usize>half;
  fade(y, decay, f32x4.abs(f32x4.add(a, b)));
  fade(top, decay, f32x4.abs(f32x4.sub(a, b)));
  fade(y + stride * <usize>(half >> 1), decay, magnitude(v128.load(x + quarter), v128.load(odd + quarter)));
  let low = x + 16;
  let high = odd + 16;
  let mirror = odd - 16;
  let last = odd + quarter * 2 - 16;
  for (; low < mirror; low += 16, high += 16, mirror -= 16, last -= 16, turns += 8) {
    y += stride;
    top -= stride;
    const cos = v128.load32_splat(turns);
    const sin = v128.load32_splat(turns, 4);
    const re = v128.load(high);
    const im = v128.load(last);
    const turnedRe = f32x4.add(f32x4.mul(re, cos), f32x4.mul(im, sin));
    const turnedIm = f32x4.sub(f32x4.mul(im, cos), f32x4.mul(re, sin));
    const evenRe = v128.load(low);
    const evenIm = v128.load(mirror);
    fade(y, decay, magnitude(f32x4.add(evenRe, turnedRe), f32x4.add(evenIm, turnedIm)));
    fade(top, decay, magnitude(f32x4.sub(evenRe, turnedRe), f32x4.sub(turnedIm, evenIm)));
  }
}

/**
 * average = decay average + |spectrum| of columns, four at a time: of `size` samples under a window, a power of two of at least 16.
 * @param average [size / 2 + 1, columns], `stride` bytes from one frequency to the next
 * @param rows addresses of the samples of the first column, in bit-reversed order
 * @param window [size] in the same order
 * @param turns cosine and sine of 2πk/m for 0 < k < m/4, of m = 16, then of m = 32, and so on up to the size
 * @param scratch room for 4 size numbers
 */
export function fadeInSpectra(
  average: usize,
  stride: usize,
  rows: usize,
  window: usize,
  turns: usize,
  scratch: usize,
  size: i32,
  columns: i32,
  decay: f32,
): void {
  const factor = f32x4.splat(decay);
  const bytes = (<usize>size) << 4;
  const end = (<usize>columns) << 2;
  for (let column: usize = 0; column < end; column += 16) {
    for (let at: usize = 0; at < bytes; at += 128) {
      transformEight(scratch + at, rows + (at >> 2), window + (at >> 2), column);
    }
    let turn = turns;
    let half = 8;
    for (; half < size >> 1; half <<= 1) {
      const whole = (<usize>half) << 5;
      for (let at: usize = 0; at < bytes; at += whole) combine(scratch + at, half, turn);
      turn += (<usize>((half >> 1) - 1)) << 3;
    }
    fadeIn(average + column, stride, scratch, half, turn, factor);
  }
}
