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
 * The paths of a trellis through `components`. States t and t + half are reached from 2 t and 2 t + 1, with the error of a code
 * of two bits or of its opposite. Two neighbouring t are one vector; `patterns` [half / 2] says 4 code(t) + code(t + 1).
 * @param costs of the paths into all states, [2 half]; changes places with `next` after every component
 * @param errors weighted error of every code, [components, 4]
 * @param table scratch for 16 pairs of numbers
 * @param from for every component and pair, two bits for t and t + 1, then two for t + half: which predecessor won,
 *   [components, half / 2] bytes
 */
export function extendPaths(
  components: i32,
  half: i32,
  costs: usize,
  next: usize,
  errors: usize,
  patterns: usize,
  table: usize,
  from: usize,
): void {
  let before = costs;
  let after = next;
  let won = from;
  const halfBytes = (<usize>half) << 3;
  for (let i = 0; i < components; i++, errors += 32) {
    for (let pattern = 0; pattern < 16; pattern++) {
      const entry = table + ((<usize>pattern) << 4);
      store<f64>(entry, load<f64>(errors + ((<usize>(pattern >> 2)) << 3)));
      store<f64>(entry, load<f64>(errors + ((<usize>(pattern & 3)) << 3)), 8);
    }
    for (let pair = 0; pair < half >> 1; pair++, won++) {
      const pattern = <usize>load<u8>(patterns + <usize>pair);
      const same = v128.load(table + (pattern << 4));
      const opposite = v128.load(table + ((15 - pattern) << 4));
      const place = before + ((<usize>pair) << 5);
      const first = v128.load(place);
      const second = v128.load(place, 16);
      const even = v128.shuffle<f64>(first, second, 0, 2);
      const odd = v128.shuffle<f64>(first, second, 1, 3);
      const evenLow = f64x2.add(even, same);
      const oddLow = f64x2.add(odd, opposite);
      const evenHigh = f64x2.add(even, opposite);
      const oddHigh = f64x2.add(odd, same);
      const target = after + ((<usize>pair) << 4);
      v128.store(target, f64x2.pmin(evenLow, oddLow));
      v128.store(target + halfBytes, f64x2.pmin(evenHigh, oddHigh));
      const low = i64x2.bitmask(f64x2.lt(oddLow, evenLow));
      const high = i64x2.bitmask(f64x2.lt(oddHigh, evenHigh));
      store<u8>(won, low | (high << 2));
    }
    const spare = before;
    before = after;
    after = spare;
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
