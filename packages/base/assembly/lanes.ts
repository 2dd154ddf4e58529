// What the kernels share: sums across lanes, and e^x of four numbers.

/** 1.5 · 2^23: a number of less than 2^22 added to it is rounded, and stands in the low bits. */
export const SHIFTER: f32 = 12_582_912;

/** Where a vector goes through memory. */
const CELL: usize = memory.data(16, 16);

/**
 * The same vector by way of memory: V8 makes constants anew, and computes what does not depend on a loop again, in every round of
 * a loop where it runs out of registers; what was loaded it keeps.
 */
export function pinned(v: v128): v128 {
  v128.store(CELL, v);
  return v128.load(CELL);
}

/** Sum of the four lanes, in every lane. */
export function lanesSum(v: v128): v128 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 1, 0, 3, 2));
  return f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1));
}

/** Sum of the four lanes. */
export function laneSum(v: v128): f32 {
  return f32x4.extract_lane(lanesSum(v), 0);
}

/** The greatest of the four lanes, in every lane. */
export function lanesMax(v: v128): v128 {
  const pairs = f32x4.pmax(v, v128.shuffle<f32>(v, v, 1, 0, 3, 2));
  return f32x4.pmax(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1));
}

/** The sums of the lanes of four vectors, one per lane: transposing adds them all at once. */
export function laneSums(s0: v128, s1: v128, s2: v128, s3: v128): v128 {
  const low01 = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
  const pair01 = f32x4.add(low01, high01);
  const pair23 = f32x4.add(low23, high23);
  return f32x4.add(
    v128.shuffle<f32>(pair01, pair23, 0, 1, 4, 5),
    v128.shuffle<f32>(pair01, pair23, 2, 3, 6, 7),
  );
}

/** e^x of four numbers of at most 88: 2^k by the exponent bits, a polynomial of degree 6 for what is left. */
export function exponential(x: v128): v128 {
  // One instruction, where max has to order zeros.
  const clamped = f32x4.pmax(x, f32x4.splat(-87));
  const shifter = f32x4.splat(SHIFTER);
  const shifted = f32x4.add(f32x4.mul(clamped, f32x4.splat(<f32>Math.LOG2E)), shifter);
  const k = f32x4.sub(shifted, shifter);
  // ln 2 in two parts, so that k ln 2 is exact in the first.
  let r = f32x4.sub(clamped, f32x4.mul(k, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(k, f32x4.splat(-2.1219444e-4)));
  let p = f32x4.splat(1.0 / 720.0);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 120.0));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 24.0));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 6.0));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23);
  return f32x4.mul(p, power);
}
