// AdamW over vectors of float32 in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes; counts are multiples of 16.
// `node scripts/kernels.mjs ams-v4` compiles this file into src/kernels-wasm.ts.

/** Numbers whose squares are added in float32 before they join the sum. */
const BLOCK: usize = 64;

function laneSum(x: v128): f64 {
  const low = f64x2.promote_low_f32x4(x);
  const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3));
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}

/** Sum of the squares of `count` numbers. */
export function sumOfSquares(x: usize, count: i32): f64 {
  const end = x + ((<usize>count) << 2);
  let sum: f64 = 0;
  while (x < end) {
    const stop = min(end, x + (BLOCK << 2));
    let first = f32x4.splat(0);
    let second = f32x4.splat(0);
    let third = f32x4.splat(0);
    let fourth = f32x4.splat(0);
    for (; x < stop; x += 64) {
      const a = v128.load(x);
      const b = v128.load(x, 16);
      const c = v128.load(x, 32);
      const d = v128.load(x, 48);
      first = f32x4.add(first, f32x4.mul(a, a));
      second = f32x4.add(second, f32x4.mul(b, b));
      third = f32x4.add(third, f32x4.mul(c, c));
      fourth = f32x4.add(fourth, f32x4.mul(d, d));
    }
    sum += laneSum(f32x4.add(f32x4.add(first, second), f32x4.add(third, fourth)));
  }
  return sum;
}

/**
 * One step of AdamW: g ← clip g; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← decay p − rate m / (√v + epsilon).
 * @param g the gradient, which stays as it is
 */
export function advance(
  p: usize,
  m: usize,
  v: usize,
  g: usize,
  count: i32,
  clip: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
  decay: f32,
  rate: f32,
  epsilon: f32,
): void {
  const clips = f32x4.splat(clip);
  const betas1 = f32x4.splat(beta1);
  const rests1 = f32x4.splat(rest1);
  const betas2 = f32x4.splat(beta2);
  const rests2 = f32x4.splat(rest2);
  const decays = f32x4.splat(decay);
  const rates = f32x4.splat(rate);
  const epsilons = f32x4.splat(epsilon);
  const bytes = (<usize>count) << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const gradient = f32x4.mul(v128.load(g + i), clips);
    const first = f32x4.add(f32x4.mul(v128.load(m + i), betas1), f32x4.mul(gradient, rests1));
    const square = f32x4.mul(gradient, gradient);
    const second = f32x4.add(f32x4.mul(v128.load(v + i), betas2), f32x4.mul(square, rests2));
    const shift = f32x4.div(f32x4.mul(first, rates), f32x4.add(f32x4.sqrt(second), epsilons));
    v128.store(m + i, first);
    v128.store(v + i, second);
    v128.store(p + i, f32x4.sub(f32x4.mul(v128.load(p + i), decays), shift));
  }
}
