// Shares of the scores of a vocabulary, 64 at a time, in numbers of 64 bits: what a draw needs of them.

/** Scores of a block. */
const BLOCK: usize = 64;
/** 1.5 · 2^52: a number of less than 2^51 added to it is rounded, and stands in the low bits. */
const SHIFTER: f64 = 6_755_399_441_055_744;
/** Below it powers are no longer normal numbers, and count as 0. */
const LEAST: f64 = -708;
/** Steps from a power of two to the next one, and how many bits they have. */
const STEPS: f64 = 64;
const STEP_BITS: i32 = 6;
/** ln 2 in two parts; products of the first one with whole numbers are exact. */
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;

/** Constants of `power`, each twice: they are loaded, since V8 makes constants anew in every round of a loop. */
const PER_STEP: usize = memory.data<f64>([STEPS * Math.LOG2E, STEPS * Math.LOG2E], 16);
const HIGH: usize = memory.data<f64>([LN2_HIGH / STEPS, LN2_HIGH / STEPS], 16);
const LOW: usize = memory.data<f64>([LN2_LOW / STEPS, LN2_LOW / STEPS], 16);
const SHIFT: usize = memory.data<f64>([SHIFTER, SHIFTER], 16);
const LOWEST: usize = memory.data<f64>([LEAST, LEAST], 16);
const HALF: usize = memory.data<f64>([0.5, 0.5], 16);
const SIXTH: usize = memory.data<f64>([1.0 / 6, 1.0 / 6], 16);
const TWENTY_FOURTH: usize = memory.data<f64>([1.0 / 24, 1.0 / 24], 16);
const HUNDRED_TWENTIETH: usize = memory.data<f64>([1.0 / 120, 1.0 / 120], 16);
const MASK: usize = memory.data<i64>([63, 63], 16);

function addProduct(a: v128, b: v128, c: v128): v128 {
  return f64x2.add(a, f64x2.mul(b, c));
}

/** e^x of two numbers of at most 0, to the last bit or two: a power of 2 and a root of it, and a polynomial for what is left. */
function power(x: v128, roots: usize): v128 {
  const shifter = v128.load(SHIFT);
  const least = v128.load(LOWEST);
  const shifted = addProduct(shifter, f64x2.pmax(x, least), v128.load(PER_STEP));
  const steps = f64x2.sub(shifted, shifter);
  const rest = f64x2.sub(f64x2.sub(x, f64x2.mul(steps, v128.load(HIGH))), f64x2.mul(steps, v128.load(LOW)));
  const square = f64x2.mul(rest, rest);
  const low = addProduct(v128.load(HALF), rest, v128.load(SIXTH));
  const high = addProduct(v128.load(TWENTY_FOURTH), rest, v128.load(HUNDRED_TWENTIETH));
  const rise = addProduct(rest, square, addProduct(low, square, high));
  const step = v128.and(shifted, v128.load(MASK));
  let root = v128.load64_zero(roots + ((<usize>i64x2.extract_lane(step, 0)) << 3));
  root = v128.load64_lane(roots + ((<usize>i64x2.extract_lane(step, 1)) << 3), root, 1);
  // The power of 2 goes into the exponent.
  const scale = i64x2.add(root, i64x2.shl(i64x2.shr_s(shifted, STEP_BITS), 52));
  return v128.and(addProduct(scale, scale, rise), f64x2.ge(x, least));
}

/**
 * The largest score of every block, NaN where one is.
 * @param to float64 `[count / 64]`
 * @param scores float64 `[count]`, a multiple of 64
 */
export function blockLargest(to: usize, scores: usize, count: i32): void {
  const end = scores + ((<usize>count) << 3);
  for (; scores < end; to += 8) {
    let largest = v128.load(scores);
    let wrong = f64x2.ne(largest, largest);
    for (const last = scores + 8 * BLOCK; scores < last; scores += 16) {
      const values = v128.load(scores);
      largest = f64x2.pmax(largest, values);
      wrong = v128.or(wrong, f64x2.ne(values, values));
    }
    const both = f64x2.pmax(largest, v128.shuffle<f64>(largest, largest, 1, 0));
    store<f64>(to, v128.any_true(wrong) ? NaN : f64x2.extract_lane(both, 0));
  }
}

/**
 * e^((score − largest) / temperature) of every score, and the sum of every block.
 * @param shares float64 `[count]`
 * @param sums float64 `[count / 64]`
 * @param scores float64 `[count]`, a multiple of 64
 * @param roots float64 `[64]`, 2^(i / 64)
 */
export function blockShares(
  shares: usize,
  sums: usize,
  scores: usize,
  count: i32,
  largest: f64,
  temperature: f64,
  roots: usize,
): void {
  const shift = f64x2.splat(largest);
  const divisor = f64x2.splat(temperature);
  const end = scores + ((<usize>count) << 3);
  for (; scores < end; sums += 8) {
    let sum = f64x2.splat(0);
    for (const last = scores + 8 * BLOCK; scores < last; scores += 16, shares += 16) {
      const share = power(f64x2.div(f64x2.sub(v128.load(scores), shift), divisor), roots);
      v128.store(shares, share);
      sum = f64x2.add(sum, share);
    }
    store<f64>(sums, f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
}
