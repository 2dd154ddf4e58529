// The inner loop of matrix products in float64, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes.
// `node scripts/kernels.mjs` compiles this file into src/kernels-wasm.ts.

/**
 * C += A Bᵀ for panels in which four rows are interleaved, A [rows / 4, depth, 4] and B [columns / 4, depth, 4], and C row-major
 * with `stride` numbers per row. Every entry is summed from the first to the last product, as a plain loop would.
 */
export function multiplyAdd(
  c: usize,
  a: usize,
  b: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  stride: i32,
): void {
  const rowBytes = (<usize>stride) << 3;
  const panelBytes = (<usize>depth) << 5;
  for (let i = 0; i < rows; i += 4) {
    const left = a + <usize>(i >> 2) * panelBytes;
    const end = left + panelBytes;
    let right = b;
    let target = c + <usize>i * rowBytes;
    for (let j = 0; j < columns; j += 4, target += 32) {
      const second = target + rowBytes;
      const third = second + rowBytes;
      const fourth = third + rowBytes;
      let s00 = v128.load(target);
      let s01 = v128.load(target, 16);
      let s10 = v128.load(second);
      let s11 = v128.load(second, 16);
      let s20 = v128.load(third);
      let s21 = v128.load(third, 16);
      let s30 = v128.load(fourth);
      let s31 = v128.load(fourth, 16);
      for (let at = left; at < end; at += 32, right += 32) {
        const b0 = v128.load(right);
        const b1 = v128.load(right, 16);
        const a0 = v128.load64_splat(at);
        s00 = f64x2.add(s00, f64x2.mul(a0, b0));
        s01 = f64x2.add(s01, f64x2.mul(a0, b1));
        const a1 = v128.load64_splat(at, 8);
        s10 = f64x2.add(s10, f64x2.mul(a1, b0));
        s11 = f64x2.add(s11, f64x2.mul(a1, b1));
        const a2 = v128.load64_splat(at, 16);
        s20 = f64x2.add(s20, f64x2.mul(a2, b0));
        s21 = f64x2.add(s21, f64x2.mul(a2, b1));
        const a3 = v128.load64_splat(at, 24);
        s30 = f64x2.add(s30, f64x2.mul(a3, b0));
        s31 = f64x2.add(s31, f64x2.mul(a3, b1));
      }
      v128.store(target, s00);
      v128.store(target, s01, 16);
      v128.store(second, s10);
      v128.store(second, s11, 16);
      v128.store(third, s20);
      v128.store(third, s21, 16);
      v128.store(fourth, s30);
      v128.store(fourth, s31, 16);
    }
  }
}

/**
 * Rows [4 n, cols] divided by the scale, less the mean, as panels of four interleaved rows; neighbouring rows are
 * `stride` numbers apart.
 * @param energies of every row two sums of squares before the mean is taken, of numbers at even and at odd places; added to
 * @param spreads the same after it
 */
export function centrePanels(
  rows: usize,
  scale: usize,
  mean: usize,
  count: i32,
  cols: i32,
  stride: i32,
  panels: usize,
  energies: usize,
  spreads: usize,
): void {
  const rowBytes = (<usize>stride) << 3;
  const bytes = (<usize>(cols & ~1)) << 3;
  for (let i = 0; i < count; i += 4, rows += 4 * rowBytes, energies += 64, spreads += 64) {
    let e0 = v128.load(energies);
    let e1 = v128.load(energies, 16);
    let e2 = v128.load(energies, 32);
    let e3 = v128.load(energies, 48);
    let s0 = v128.load(spreads);
    let s1 = v128.load(spreads, 16);
    let s2 = v128.load(spreads, 32);
    let s3 = v128.load(spreads, 48);
    for (let j: usize = 0; j < bytes; j += 16, panels += 64) {
      const factor = v128.load(scale + j);
      const middle = v128.load(mean + j);
      const at = rows + j;
      let x0 = f64x2.div(v128.load(at), factor);
      let x1 = f64x2.div(v128.load(at + rowBytes), factor);
      let x2 = f64x2.div(v128.load(at + 2 * rowBytes), factor);
      let x3 = f64x2.div(v128.load(at + 3 * rowBytes), factor);
      e0 = f64x2.add(e0, f64x2.mul(x0, x0));
      e1 = f64x2.add(e1, f64x2.mul(x1, x1));
      e2 = f64x2.add(e2, f64x2.mul(x2, x2));
      e3 = f64x2.add(e3, f64x2.mul(x3, x3));
      x0 = f64x2.sub(x0, middle);
      x1 = f64x2.sub(x1, middle);
      x2 = f64x2.sub(x2, middle);
      x3 = f64x2.sub(x3, middle);
      s0 = f64x2.add(s0, f64x2.mul(x0, x0));
      s1 = f64x2.add(s1, f64x2.mul(x1, x1));
      s2 = f64x2.add(s2, f64x2.mul(x2, x2));
      s3 = f64x2.add(s3, f64x2.mul(x3, x3));
      v128.store(panels, v128.shuffle<f64>(x0, x1, 0, 2));
      v128.store(panels, v128.shuffle<f64>(x2, x3, 0, 2), 16);
      v128.store(panels, v128.shuffle<f64>(x0, x1, 1, 3), 32);
      v128.store(panels, v128.shuffle<f64>(x2, x3, 1, 3), 48);
    }
    v128.store(energies, e0);
    v128.store(energies, e1, 16);
    v128.store(energies, e2, 32);
    v128.store(energies, e3, 48);
    v128.store(spreads, s0);
    v128.store(spreads, s1, 16);
    v128.store(spreads, s2, 32);
    v128.store(spreads, s3, 48);
    if (cols & 1) {
      const factor = load<f64>(scale + bytes);
      const middle = load<f64>(mean + bytes);
      for (let k: usize = 0; k < 4; k++, panels += 8) {
        const x = load<f64>(rows + k * rowBytes + bytes) / factor;
        const rest = x - middle;
        const sum = k << 4;
        store<f64>(energies + sum, load<f64>(energies + sum) + x * x);
        store<f64>(spreads + sum, load<f64>(spreads + sum) + rest * rest);
        store<f64>(panels, rest);
      }
    }
  }
}

/** Sum of products of two rows of `count` numbers. */
function dot(x: usize, y: usize, count: i32): f64 {
  let even = f64x2.splat(0);
  let odd = f64x2.splat(0);
  const end = x + ((<usize>(count & ~3)) << 3);
  let a = x;
  let b = y;
  for (; a < end; a += 32, b += 32) {
    even = f64x2.add(even, f64x2.mul(v128.load(a), v128.load(b)));
    odd = f64x2.add(odd, f64x2.mul(v128.load(a, 16), v128.load(b, 16)));
  }
  const both = f64x2.add(even, odd);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (let rest = count & 3; rest > 0; rest--, a += 8, b += 8) sum += load<f64>(a) * load<f64>(b);
  return sum;
}

/** x -= p u + q w for rows of `count` numbers. */
function subtractTwo(x: usize, u: usize, p: f64, w: usize, q: f64, count: i32): void {
  const factorU = f64x2.splat(p);
  const factorW = f64x2.splat(q);
  const bytes = (<usize>(count & ~1)) << 3;
  let i: usize = 0;
  for (; i < bytes; i += 16) {
    const part = f64x2.add(f64x2.mul(factorU, v128.load(u + i)), f64x2.mul(factorW, v128.load(w + i)));
    v128.store(x + i, f64x2.sub(v128.load(x + i), part));
  }
  if (count & 1) store<f64>(x + i, load<f64>(x + i) - (p * load<f64>(u + i) + q * load<f64>(w + i)));
}

/** y = A v for rows [rows] of `count` numbers, `stride` numbers apart. */
export function multiplyRows(y: usize, a: usize, v: usize, rows: i32, count: i32, stride: i32): void {
  for (let row = 0; row < rows; row++, a += (<usize>stride) << 3)
    store<f64>(y + ((<usize>row) << 3), dot(a, v, count));
}

/** A -= v wᵀ + w vᵀ. */
export function subtractBoth(a: usize, v: usize, w: usize, rows: i32, count: i32, stride: i32): void {
  for (let row = 0; row < rows; row++, a += (<usize>stride) << 3) {
    const at = (<usize>row) << 3;
    subtractTwo(a, w, load<f64>(v + at), v, load<f64>(w + at), count);
  }
}

/** A -= beta (A v) vᵀ: every row is mirrored at the plane perpendicular to v. */
export function reflectRows(a: usize, v: usize, beta: f64, rows: i32, count: i32, stride: i32): void {
  for (let row = 0; row < rows; row++, a += (<usize>stride) << 3) {
    subtractTwo(a, v, beta * dot(a, v, count), v, 0, count);
  }
}

/** Turns rows x and y of `count` numbers: (x, y) <- (c x - s y, s x + c y). */
export function rotateRows(x: usize, y: usize, count: i32, cosine: f64, sine: f64): void {
  const c = f64x2.splat(cosine);
  const s = f64x2.splat(sine);
  const bytes = (<usize>(count & ~1)) << 3;
  let i: usize = 0;
  for (; i < bytes; i += 16) {
    const u = v128.load(x + i);
    const v = v128.load(y + i);
    v128.store(x + i, f64x2.sub(f64x2.mul(c, u), f64x2.mul(s, v)));
    v128.store(y + i, f64x2.add(f64x2.mul(s, u), f64x2.mul(c, v)));
  }
  if (count & 1) {
    const u = load<f64>(x + i);
    const v = load<f64>(y + i);
    store<f64>(x + i, cosine * u - sine * v);
    store<f64>(y + i, sine * u + cosine * v);
  }
}

/**
 * The nearest level of every subset to x [components], where level j is in subset j mod 4.
 * @param tables of every component, 5 numbers each: left end of a grid, cells per unit, weight of the squared error, then four
 *   whole numbers: places of the levels (four of -Infinity before and of Infinity behind them), of the thresholds between them
 *   (Infinity behind them), of the first level that each cell of the grid can have for its nearest, and the last cell
 * @param chosen number of the nearest level, then above bit 16 for every subset whether its nearest level is above that one
 * @param errors by code bits, [components, 4] in float32: weighted squared errors less the least of the four, which every path
 *   has; subsets 0, 1, 2, 3 have code bits 0, 1, 3, 2
 * @param scratch room for 4 numbers
 */
export function nearestLevels(
  components: i32,
  x: usize,
  tables: usize,
  chosen: usize,
  errors: usize,
  scratch: usize,
): void {
  const end = x + ((<usize>components) << 3);
  for (; x < end; x += 8, tables += 40, chosen += 4, errors += 16) {
    const value = load<f64>(x);
    const weight = load<f64>(tables, 16);
    const cell = (value - load<f64>(tables)) * load<f64>(tables, 8);
    const inside = <i32>max<f64>(0, min<f64>(cell, <f64>load<i32>(tables, 36)));
    const thresholds = <usize>load<u32>(tables, 28);
    let nearest = <i32>load<u16>(<usize>load<u32>(tables, 32) + ((<usize>inside) << 1));
    while (load<f64>(thresholds + ((<usize>nearest) << 3)) <= value) nearest++;
    // The four levels up to the nearest, and the four above.
    const levels = <usize>load<u32>(tables, 24) + ((<usize>nearest + 1) << 3);
    let found = nearest;
    let least = Infinity;
    for (let j = 0; j < 4; j++) {
      const below = value - load<f64>(levels + ((<usize>j) << 3));
      const above = load<f64>(levels + ((<usize>j) << 3), 32) - value;
      const isAbove = above <= below;
      const difference = select<f64>(above, below, isAbove);
      const subset = (nearest + 1 + j) & 3;
      found |= (<i32>isAbove) << (16 + subset);
      const error = difference * difference * weight;
      least = min(least, error);
      store<f64>(scratch + ((<usize>(subset ^ (subset >> 1))) << 3), error);
    }
    for (let code: usize = 0; code < 4; code++) {
      store<f32>(errors + (code << 2), <f32>(load<f64>(scratch + (code << 3)) - least));
    }
    store<i32>(chosen, found);
  }
}

/**
 * The paths of a trellis through `components`. States t and t + half are reached from 2 t and 2 t + 1, with the error of a code
 * of two bits or of its opposite. Four neighbouring t are one vector of float32.
 * @param costs of the paths into all states, [2 half]; changes places with `next` after every component
 * @param errors weighted error of every code, [components, 4]
 * @param lanes for every four t, the bytes of a vector of errors in the order of their codes, [half / 4, 16]
 * @param from for every component and four t, a bit for each and then one for each t + half: which predecessor won,
 *   [components, half / 4] bytes
 */
export function extendPaths(
  components: i32,
  half: i32,
  costs: usize,
  next: usize,
  errors: usize,
  lanes: usize,
  from: usize,
): void {
  let before = costs;
  let after = next;
  let won = from;
  const halfBytes = (<usize>half) << 2;
  for (let i = 0; i < components; i++, errors += 16) {
    const error = v128.load(errors);
    const reversed = v128.shuffle<f32>(error, error, 3, 2, 1, 0);
    let place = before;
    let order = lanes;
    const end = after + halfBytes;
    for (let target = after; target < end; target += 16, place += 32, order += 16, won++) {
      const lane = v128.load(order);
      const same = i8x16.swizzle(error, lane);
      const opposite = i8x16.swizzle(reversed, lane);
      const first = v128.load(place);
      const second = v128.load(place, 16);
      const even = v128.shuffle<f32>(first, second, 0, 2, 4, 6);
      const odd = v128.shuffle<f32>(first, second, 1, 3, 5, 7);
      const evenLow = f32x4.add(even, same);
      const oddLow = f32x4.add(odd, opposite);
      const evenHigh = f32x4.add(even, opposite);
      const oddHigh = f32x4.add(odd, same);
      v128.store(target, f32x4.pmin(evenLow, oddLow));
      v128.store(target + halfBytes, f32x4.pmin(evenHigh, oddHigh));
      const low = i32x4.bitmask(f32x4.lt(oddLow, evenLow));
      const high = i32x4.bitmask(f32x4.lt(oddHigh, evenHigh));
      store<u8>(won, low | (high << 4));
    }
    const spare = before;
    before = after;
    after = spare;
  }
}

/**
 * Codes of the cheapest path, backwards from the cheapest state, and the levels that they stand for.
 * @param costs after the last component, [2 half]
 * @param from see {@link extendPaths}
 * @param chosen see {@link nearestLevels}
 * @param subsets of every register, [4 half] bytes
 * @param codes path bit, then the number of the level in its subset, [components] of 16 bits
 * @param x takes the levels
 */
export function traceBack(
  components: i32,
  half: i32,
  costs: usize,
  from: usize,
  chosen: usize,
  subsets: usize,
  tables: usize,
  codes: usize,
  x: usize,
): void {
  let state = 0;
  let least = load<f32>(costs);
  for (let s = 1; s < 2 * half; s++) {
    const cost = load<f32>(costs + ((<usize>s) << 2));
    if (cost < least) {
      least = cost;
      state = s;
    }
  }
  const quads = half >> 2;
  for (let i = components - 1; i >= 0; i--) {
    const isHigh = state >= half;
    const low = state & (half - 1);
    const won = <i32>load<u8>(from + <usize>(i * quads + (low >> 2)));
    const register = (state << 1) | ((won >> ((low & 3) + (isHigh ? 4 : 0))) & 1);
    const subset = <i32>load<u8>(subsets + <usize>register);
    const found = load<i32>(chosen + ((<usize>i) << 2));
    const nearest = found & 0xffff;
    const level = nearest - ((nearest - subset) & 3) + (((found >>> (16 + subset)) & 1) << 2);
    const levels = <usize>load<u32>(tables + <usize>i * 40, 24);
    store<f64>(x + ((<usize>i) << 3), load<f64>(levels + ((<usize>level + 4) << 3)));
    store<u16>(codes + ((<usize>i) << 1), ((level >> 2) << 1) | <i32>isHigh);
    state = register & (2 * half - 1);
  }
}

/**
 * Code bits of 32 components of every row: sums modulo 2 of path bits at the distances back that the ones of `taps` say, first
 * code bits in the low half of a word of 64 bits, second ones in the high half.
 * @param rows path bits of the components begin `shift` bits from here, the eight before them 8 bits earlier
 * @param kept ones where the bits count; the eight before the first component do not
 */
export function codeBits(
  rows: usize,
  rowBytes: usize,
  count: i32,
  shift: i32,
  kept: u64,
  taps: i32,
  moreTaps: i32,
  words: usize,
): void {
  const end = words + ((<usize>count) << 3);
  for (; words < end; words += 8, rows += rowBytes) {
    const bits = (load<u64>(rows) >> <u64>shift) & kept;
    let first: u64 = 0;
    let second: u64 = 0;
    for (let delay = 0; delay <= 8; delay++) {
      const moved = bits >> <u64>(8 - delay);
      if ((taps >> delay) & 1) first ^= moved;
      if ((moreTaps >> delay) & 1) second ^= moved;
    }
    store<u64>(words, (first & 0xffffffff) | (second << 32));
  }
}

/**
 * sums += factor * table[bits of the row, then `codes` pairs of code bits from `place` on], rows [count] of `rowBytes`.
 * @param rows where the bits of the first row begin, but for `shift`
 */
export function addLookUps(
  rows: usize,
  rowBytes: usize,
  count: i32,
  shift: i32,
  mask: i32,
  words: usize,
  place: i32,
  codes: i32,
  table: usize,
  factor: f64,
  sums: usize,
): void {
  const end = sums + ((<usize>count) << 3);
  if (codes === 0) {
    for (; sums < end; sums += 8, rows += rowBytes) {
      const at = (<i32>load<u16>(rows) >>> shift) & mask;
      store<f64>(sums, load<f64>(sums) + factor * load<f64>(table + ((<usize>at) << 3)));
    }
    return;
  }
  const ones = (1 << codes) - 1;
  const high = <u64>(32 + place - codes);
  const more = <u64>(ones << codes);
  const left = 2 * codes;
  for (; sums < end; sums += 8, rows += rowBytes, words += 8) {
    const word = load<u64>(words);
    const open = <i32>(((word >> <u64>place) & <u64>ones) | ((word >> high) & more));
    const at = (((<i32>load<u16>(rows) >>> shift) & mask) << left) | open;
    store<f64>(sums, load<f64>(sums) + factor * load<f64>(table + ((<usize>at) << 3)));
  }
}

/** Sums of every one of the first `filled` numbers and every one of `unit` times the weight, the former's place lowest. */
export function extendTable(table: usize, filled: i32, unit: usize, count: i32, weight: f64): void {
  const bytes = (<usize>filled) << 3;
  // From the top down, as the sums that exist stand where those with the first of `unit` go.
  let target = table + bytes * <usize>(count - 1);
  for (let i = count - 1; i >= 0; i--, target -= bytes) {
    const part = weight * load<f64>(unit + ((<usize>i) << 3));
    for (let k: usize = 0; k < bytes; k += 8) store<f64>(target + k, load<f64>(table + k) + part);
  }
}

/** Number k of `source` to place order[k] of `target`. */
export function spread(target: usize, source: usize, order: usize, count: i32): void {
  const end = source + ((<usize>count) << 3);
  for (; source < end; source += 8, order += 2) {
    store<f64>(target + ((<usize>load<u16>(order)) << 3), load<f64>(source));
  }
}
