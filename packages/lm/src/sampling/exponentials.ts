const STEPS = 256;
const STEPS_PER_UNIT = STEPS / Math.LN2;
/** A step of the logarithm in two parts; products of the first one with whole numbers are exact. */
const [STEP_HIGH, STEP_LOW] = [6.9314718036912382e-1 / STEPS, 1.9082149292705877e-10 / STEPS];
/** 2^(i / STEPS) */
const ROOTS = Float64Array.from({ length: STEPS }, (_, index) => 2 ** (index / STEPS));
/** Below it the powers are no longer normal numbers. */
const LEAST = -700;
/** 2^(−i) */
const POWERS = Float64Array.from({ length: 1024 }, (_, index) => 2 ** -index);

/**
 * The shares of scores beside the largest one, e^((score − largest) / temperature), and their sum: by a table and a short polynomial,
 * as exact as `Math.exp` but for the last bit or two, and in a third of its time, which counts for a vocabulary of 50,000 at every token.
 * @param largest may be infinite: its own share is 1
 * @param into as long as `scores`, takes the shares; it may be `scores` itself
 */
export function exponentials(
  scores: ArrayLike<number>,
  largest: number,
  temperature: number,
  into: Float64Array,
): number {
  // What is written over its own scores has to be right at once.
  const isPlain = scores !== into || (leastOf(scores) - largest) / temperature >= LEAST;
  const sum = isPlain ? sumByTable(scores, largest, temperature, into) : 0;
  return sum > 0 ? sum : sumOneByOne(scores, largest, temperature, into);
}

/**
 * The formula stands in the loop, since numbers that go through a function are put into objects, and no other call does, since
 * the loop's constants would be saved around it.
 * @returns 0 when a score was infinite or too far below the largest, and shares are wrong
 */
function sumByTable(
  scores: ArrayLike<number>,
  largest: number,
  temperature: number,
  into: Float64Array,
): number {
  // Bundlers make variables of a module's constants, which would be read anew in every turn.
  const [roots, powers, perUnit, high, low, mask] = [
    ROOTS,
    POWERS,
    STEPS_PER_UNIT,
    STEP_HIGH,
    STEP_LOW,
    STEPS - 1,
  ];
  const [sixth, twentyFourth] = [1 / 6, 1 / 24];
  let [sum, least] = [0, 0];
  for (let index = 0; index < into.length; index++) {
    const x = (scores[index]! - largest) / temperature;
    const steps = (x * perUnit - 0.5) | 0;
    const rest = x - steps * high - steps * low;
    const root = roots[steps & mask]!;
    const rise = rest * (1 + rest * (0.5 + rest * (sixth + rest * twentyFourth)));
    const share = powers[-(steps >> 8)]! * (root + root * rise);
    if (x < least) least = x;
    into[index] = share;
    sum += share;
  }
  return least >= LEAST && Number.isFinite(sum) ? sum : 0;
}

function sumOneByOne(
  scores: ArrayLike<number>,
  largest: number,
  temperature: number,
  into: Float64Array,
): number {
  let sum = 0;
  for (let index = 0; index < into.length; index++) {
    const score = scores[index]!;
    let share = 0;
    if (score === largest) share = 1;
    else if (score !== -Infinity) share = Math.exp((score - largest) / temperature);
    into[index] = share;
    sum += share;
  }
  return sum;
}

function leastOf(scores: ArrayLike<number>): number {
  let least = Infinity;
  for (let index = 0; index < scores.length; index++) if (scores[index]! < least) least = scores[index]!;
  return least;
}
