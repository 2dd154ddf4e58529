// What tokens received of others' attention, and its spectra: a column is one token's signal, and four columns are
// transformed at once.

/** Columns stand in tiles of 16, so that a cache grows tile by tile; a table has the addresses of the tiles. */
const TILE_BITS = 4;
/** Bytes of a tile's line. */
const LINE: usize = 64;

/** Where a column begins. */
function columnAt(tiles: usize, column: i32): usize {
  const within = <usize>(column & ((1 << TILE_BITS) - 1));
  return <usize>load<u32>(tiles + ((<usize>(column >> TILE_BITS)) << 2)) + (within << 2);
}

/** What a score of a head counts for. */
function share(factors: usize, head: i32, scale: f32): v128 {
  return f32x4.splat(load<f32>(factors + ((<usize>head) << 2)) * scale);
}

/** What a group of heads gave to 16 columns. */
function receiveLine(y: usize, x: usize, scoreStride: usize, factors: usize, scale: f32, group: i32): void {
  let factor = share(factors, 0, scale);
  let a = f32x4.mul(factor, v128.load(x));
  let b = f32x4.mul(factor, v128.load(x, 16));
  let c = f32x4.mul(factor, v128.load(x, 32));
  let d = f32x4.mul(factor, v128.load(x, 48));
  for (let head = 1; head < group; head++) {
    x += scoreStride;
    factor = share(factors, head, scale);
    a = f32x4.add(a, f32x4.mul(factor, v128.load(x)));
    b = f32x4.add(b, f32x4.mul(factor, v128.load(x, 16)));
    c = f32x4.add(c, f32x4.mul(factor, v128.load(x, 32)));
    d = f32x4.add(d, f32x4.mul(factor, v128.load(x, 48)));
  }
  v128.store(y, a);
  v128.store(y, b, 16);
  v128.store(y, c, 32);
  v128.store(y, d, 48);
}

/** The same of one column. */
function receiveOne(y: usize, x: usize, scoreStride: usize, factors: usize, scale: f32, group: i32): void {
  let sum: f32 = 0;
  for (let head = 0; head < group; head++, x += scoreStride) {
    sum += load<f32>(factors + ((<usize>head) << 2)) * scale * load<f32>(x);
  }
  store<f32>(y, sum);
}

/**
 * What the tokens of every key/value head received from its query heads: for columns from the head's first one up to `end`, the
 * sum of scores times factor times scale.
 * @param tiles addresses of tiles, [columns / 16]
 * @param row bytes from the beginning of a tile to the first head's line, `headStride` before that of the next
 * @param scores of every query head, `scoreStride` bytes apart, beginning with the first column's
 * @param factors [heads group]
 * @param firsts [heads]
 */
export function receive(
  tiles: usize,
  row: usize,
  headStride: usize,
  scores: usize,
  scoreStride: usize,
  factors: usize,
  scale: f32,
  firsts: usize,
  end: i32,
  heads: i32,
  group: i32,
): void {
  for (let head = 0; head < heads; head++) {
    let column = <i32>load<f32>(firsts + ((<usize>head) << 2));
    let x = scores;
    while (column < end) {
      const y = columnAt(tiles, column) + row;
      if ((column & ((1 << TILE_BITS) - 1)) === 0 && column + (1 << TILE_BITS) <= end) {
        receiveLine(y, x, scoreStride, factors, scale, group);
        column += 1 << TILE_BITS;
        x += LINE;
      } else {
        receiveOne(y, x, scoreStride, factors, scale, group);
        column += 1;
        x += 4;
      }
    }
    row += headStride;
    scores += scoreStride * <usize>group;
    factors += (<usize>group) << 2;
  }
}

/** A sample of four columns that begin at an address, times its weight. */
function sample(lines: usize, window: usize, column: usize): v128 {
  return f32x4.mul(v128.load(<usize>load<u32>(lines) + column), v128.load32_splat(window));
}

/**
 * Transforms of eight samples, which stand in bit-reversed order; real parts of frequencies 0 to 4, then
 * imaginary parts of 3 to 1.
 */
function transformEight(x: usize, lines: usize, window: usize, column: usize): void {
  const x0 = sample(lines, window, column);
  const x1 = sample(lines + 4, window + 4, column);
  const x2 = sample(lines + 8, window + 8, column);
  const x3 = sample(lines + 12, window + 12, column);
  const x4 = sample(lines + 16, window + 16, column);
  const x5 = sample(lines + 20, window + 20, column);
  const x6 = sample(lines + 24, window + 24, column);
  const x7 = sample(lines + 28, window + 28, column);
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

/** The same of four samples. */
function transformFour(x: usize, lines: usize, window: usize, column: usize): void {
  const x0 = sample(lines, window, column);
  const x1 = sample(lines + 4, window + 4, column);
  const x2 = sample(lines + 8, window + 8, column);
  const x3 = sample(lines + 12, window + 12, column);
  const even = f32x4.add(x0, x1);
  const odd = f32x4.add(x2, x3);
  v128.store(x, f32x4.add(even, odd));
  v128.store(x, f32x4.sub(x0, x1), 16);
  v128.store(x, f32x4.sub(even, odd), 32);
  v128.store(x, f32x4.sub(x3, x2), 48);
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

/** The frequencies 0, q, 2q and q / 2, 3q / 2 of the transform that `fadeIn` puts together, whose factors are known. */
function fadeInEdges(y: usize, x: usize, q: usize, decay: v128): void {
  const half = q >> 1;
  const a = v128.load(x);
  const c = v128.load(x + (q << 4));
  const b = v128.load(x + (q << 5));
  const d = v128.load(x + q * 48);
  const even = f32x4.add(a, c);
  const odd = f32x4.add(b, d);
  fade(y, decay, f32x4.abs(f32x4.add(even, odd)));
  fade(y + LINE * (q << 1), decay, f32x4.abs(f32x4.sub(even, odd)));
  fade(y + LINE * q, decay, magnitude(f32x4.sub(a, c), f32x4.sub(b, d)));
  const middle = x + (half << 4);
  const first = v128.load(middle);
  const third = v128.load(middle + (q << 4));
  const second = v128.load(middle + (q << 5));
  const fourth = v128.load(middle + q * 48);
  const root = f32x4.splat(0.7071067811865476);
  const re = f32x4.mul(root, f32x4.sub(second, fourth));
  const im = f32x4.mul(root, f32x4.add(second, fourth));
  fade(y + LINE * half, decay, magnitude(f32x4.add(first, re), f32x4.add(third, im)));
  fade(y + LINE * (q + half), decay, magnitude(f32x4.sub(first, re), f32x4.sub(third, im)));
}

/** Real part of a number turned back by an angle, and below the imaginary one. */
function turnedRe(re: v128, im: v128, cos: v128, sin: v128): v128 {
  return f32x4.add(f32x4.mul(re, cos), f32x4.mul(im, sin));
}

function turnedIm(re: v128, im: v128, cos: v128, sin: v128): v128 {
  return f32x4.sub(f32x4.mul(im, cos), f32x4.mul(re, sin));
}

/**
 * The transform of 4q samples from those of every fourth one, which begin at samples 0, 2, 1 and 3; its frequencies go into the
 * averages at once, and nobody asks for their signs.
 * @param turns cosine and sine of 2πk / 4q, twice and three times that, for 0 < k < q / 2
 */
function fadeIn(y: usize, x: usize, q: usize, turns: usize, decay: v128): void {
  fadeInEdges(y, x, q, decay);
  const part = q << 4;
  let re = x + 16;
  let im = x + part - 16;
  let low = y;
  let below = y + LINE * q;
  let above = below;
  let top = below + LINE * q;
  for (; re < im; re += 16, im -= 16, turns += 24) {
    low += LINE;
    below -= LINE;
    above += LINE;
    top -= LINE;
    let cos = v128.load32_splat(turns, 8);
    let sin = v128.load32_splat(turns, 12);
    const cRe = turnedRe(v128.load(re + part), v128.load(im + part), cos, sin);
    const cIm = turnedIm(v128.load(re + part), v128.load(im + part), cos, sin);
    cos = v128.load32_splat(turns);
    sin = v128.load32_splat(turns, 4);
    const second = part << 1;
    const bRe = turnedRe(v128.load(re + second), v128.load(im + second), cos, sin);
    const bIm = turnedIm(v128.load(re + second), v128.load(im + second), cos, sin);
    cos = v128.load32_splat(turns, 16);
    sin = v128.load32_splat(turns, 20);
    const third = second + part;
    const dRe = turnedRe(v128.load(re + third), v128.load(im + third), cos, sin);
    const dIm = turnedIm(v128.load(re + third), v128.load(im + third), cos, sin);
    const aRe = v128.load(re);
    const aIm = v128.load(im);
    const evenRe = f32x4.add(aRe, cRe);
    const evenIm = f32x4.add(aIm, cIm);
    const oddRe = f32x4.add(bRe, dRe);
    const oddIm = f32x4.add(bIm, dIm);
    fade(low, decay, magnitude(f32x4.add(evenRe, oddRe), f32x4.add(evenIm, oddIm)));
    fade(top, decay, magnitude(f32x4.sub(evenRe, oddRe), f32x4.sub(evenIm, oddIm)));
    const apartRe = f32x4.sub(aRe, cRe);
    const apartIm = f32x4.sub(aIm, cIm);
    const acrossRe = f32x4.sub(bRe, dRe);
    const acrossIm = f32x4.sub(bIm, dIm);
    fade(above, decay, magnitude(f32x4.add(apartRe, acrossIm), f32x4.sub(apartIm, acrossRe)));
    fade(below, decay, magnitude(f32x4.sub(apartRe, acrossIm), f32x4.add(apartIm, acrossRe)));
  }
}

/**
 * average = decay average + |spectrum| of columns, four at a time: of `size` samples under a window, a power of two of at least 16.
 * @param tiles addresses of tiles, whose lines are what follows
 * @param head bytes from the beginning of a tile to the averages, [size / 2 + 1, 16]; a ring of samples comes behind them,
 *   [size, 16], whose line `oldest` is the first
 * @param order [size]: the sample that stands at each place of the bit-reversed order
 * @param window [size] in that order
 * @param turns cosine and sine of 2πk/m for 0 < k < m/4, of m = 16, then of m = 32, up to size / 4; then those of `fadeIn`
 * @param lines room for size numbers
 * @param scratch room for 4 size numbers
 * @param first,end columns, the first one rounded down to a multiple of 4, the other one up
 */
export function fadeInSpectra(
  tiles: usize,
  head: usize,
  oldest: i32,
  order: usize,
  window: usize,
  turns: usize,
  lines: usize,
  scratch: usize,
  size: i32,
  first: i32,
  end: i32,
  decay: f32,
): void {
  const ring = LINE * <usize>((size >> 1) + 1);
  for (let place = 0; place < size; place++) {
    const at = (<usize>place) << 2;
    const row = (oldest + <i32>load<f32>(order + at)) & (size - 1);
    store<u32>(lines + at, <u32>(ring + LINE * <usize>row));
  }
  const factor = f32x4.splat(decay);
  const bytes = (<usize>size) << 4;
  const quarter = <usize>(size >> 2);
  for (let column = first & ~3; column < end; column += 4) {
    const own = columnAt(tiles, column) + head;
    let turn = turns;
    if (size === 16) {
      for (let at: usize = 0; at < bytes; at += 64) {
        transformFour(scratch + at, lines + (at >> 2), window + (at >> 2), own);
      }
    } else {
      for (let at: usize = 0; at < bytes; at += 128) {
        transformEight(scratch + at, lines + (at >> 2), window + (at >> 2), own);
      }
      for (let half = 8; half < size >> 2; half <<= 1) {
        const whole = (<usize>half) << 5;
        for (let at: usize = 0; at < bytes; at += whole) combine(scratch + at, half, turn);
        turn += (<usize>((half >> 1) - 1)) << 3;
      }
    }
    fadeIn(own, scratch, quarter, turn, factor);
  }
}
