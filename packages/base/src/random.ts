import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { InputError } from './errors.js';
import { allocate, type NDArray, ndarray, sizeOf } from './ndarray.js';

type Generator = ReturnType<typeof xoroshiro128plusFromState>;

/** The state of a generator, four 32-bit integers, so that it can be stored beside a checkpoint as JSON. */
export type RngState = readonly number[];

/** Keeps streams made in different ways apart, even when they are made of the same words. */
const ORIGIN = { seed: 1, split: 2, fork: 3 } as const;

/**
 * Seeded random numbers on the host (xoroshiro128+ of pure-rand). A generator is a stream: every draw advances it, its
 * state can be saved and restored exactly, and independent streams split off it by seed.
 */
export class Rng {
  readonly #generator: Generator;
  readonly #budget: Budget | undefined;

  private constructor(generator: Generator, budget?: Budget) {
    this.#generator = generator;
    this.#budget = budget;
  }

  /** The stream of a seed. @throws InputError for a seed that is no safe integer. */
  static fromSeed(seed: number): Rng {
    if (!Number.isSafeInteger(seed)) throw new InputError(`A seed is an integer, but ${seed} was given.`);
    return new Rng(generatorOf([ORIGIN.seed, seed | 0, Math.floor(seed / 2 ** 32)]));
  }

  /** Continues a stream where `state()` was taken. @throws InputError for anything else than such a state. */
  static fromState(state: RngState): Rng {
    const valid = Array.isArray(state) && state.length === 4 && state.every((word) => (word | 0) === word);
    if (!valid || state.every((word) => word === 0)) {
      throw new InputError(
        `A random state is four 32-bit integers, not all 0, as Rng.state() gives them, but ${JSON.stringify(state)} was given.`,
      );
    }
    return new Rng(xoroshiro128plusFromState(state));
  }

  /**
   * A stream for finding out the shapes of what a model draws, at no cost: arrays are zeros, and whoever draws more than
   * `limit` numbers in all, its children's included, is refused, before memory is filled.
   * @param refusal the sentence that says so
   */
  static ofShapes(
    limit: number,
    refusal = `More than ${limit} random numbers would be drawn, which is not allowed here.`,
  ): Rng {
    return new Rng(generatorOf([ORIGIN.seed]), { left: limit, refusal });
  }

  /** The present state, JSON-able. */
  state(): RngState {
    return [...this.#generator.getState()];
  }

  /** 32 random bits as an unsigned integer. */
  bits(): number {
    this.#spend(1);
    return this.#generator.next() >>> 0;
  }

  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Standard normal, by Box and Muller; the second value of each pair is dropped to keep the state small. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Uniform integer in [0, n). @throws InputError unless n is a positive integer up to 2^32. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new InputError(`A random integer needs a range of 1 to 2^32, but ${n} was given.`);
    }
    // Draws beyond the last whole bucket are rejected, so that every value is equally likely. Dividing instead of
    // taking the remainder uses the high bits, which are the better ones of this generator.
    const bucket = Math.floor(2 ** 32 / n);
    let draw = this.bits();
    while (draw >= bucket * n) draw = this.bits();
    return Math.floor(draw / bucket);
  }

  /** An independent child stream, seeded with 128 bits of this one, which advances. */
  split(): Rng {
    return new Rng(
      generatorOf([ORIGIN.split, this.bits(), this.bits(), this.bits(), this.bits()]),
      this.#budget,
    );
  }

  /** A child stream that depends on this one's state and a label; this one stays where it is. */
  fork(label: string): Rng {
    const letters = Array.from(label, (character) => character.codePointAt(0)!);
    return new Rng(generatorOf([ORIGIN.fork, ...this.state(), letters.length, ...letters]), this.#budget);
  }

  /**
   * Independent uniform values in [low, high).
   * @param low default 0
   * @param high default 1
   */
  uniformArray(shape: readonly number[], low = 0, high = 1): NDArray<'float32'> {
    const below = Math.fround(high);
    return this.#fill(shape, () => {
      let value = Math.fround(low + (high - low) * this.uniform());
      // Rounding to float32 may reach the open end of the interval.
      while (value >= below && low < below) value = Math.fround(low + (high - low) * this.uniform());
      return value;
    });
  }

  /**
   * Independent normal values.
   * @param mean default 0
   * @param deviation standard deviation, default 1
   */
  normalArray(shape: readonly number[], mean = 0, deviation = 1): NDArray<'float32'> {
    return this.#fill(shape, () => mean + deviation * this.normal());
  }

  /** The numbers 0 to n − 1 in random order (Fisher and Yates). @throws InputError for a negative or broken n. */
  permutation(n: number): Int32Array {
    if (!Number.isInteger(n) || n < 0) {
      throw new InputError(`A permutation needs a whole number of elements, but ${n} was given.`);
    }
    this.#spend(n);
    const order = Int32Array.from({ length: n }, (_, index) => index);
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    return order;
  }

  /** A key for `keyedUniform` and `dropout`: int32 `[2]`. */
  key(): NDArray<'int32'> {
    return ndarray(Int32Array.of(this.bits() | 0, this.bits() | 0), [2], 'int32');
  }

  #fill(shape: readonly number[], draw: () => number): NDArray<'float32'> {
    this.#spend(sizeOf(shape));
    const values = allocate('float32', sizeOf(shape));
    if (this.#budget) return ndarray(values, shape);
    for (let i = 0; i < values.length; i++) values[i] = draw();
    return ndarray(values, shape);
  }

  #spend(count: number): void {
    const budget = this.#budget;
    if (!budget) return;
    budget.left -= count;
    if (!(budget.left >= 0)) throw new InputError(budget.refusal);
  }
}

/** How many numbers a stream of shapes may still draw. */
interface Budget {
  left: number;
  readonly refusal: string;
}

/**
 * A generator whose 128 bits of state depend on all words, so that seeds that differ by little, and children of one
 * parent, give unrelated streams.
 */
function generatorOf(words: readonly number[]): Generator {
  const state = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344].map((lane) => words.reduce(mix, lane) | 0);
  // The state of zeros is the one that the generator never leaves.
  return xoroshiro128plusFromState(state.some((word) => word !== 0) ? state : [1, 0, 0, 0]);
}

/** Scrambles a word into another; one to one in each of them. */
function mix(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  return x ^ (x >>> 16);
}
