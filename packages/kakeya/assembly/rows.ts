// Operations on rows of float64, for eigenvectors, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes.

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
