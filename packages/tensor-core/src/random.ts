import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { InputError } from './errors.js';
import { type NDArray, ndarray, sizeOf } from './ndarray.js';

type Generator = ReturnType<typeof xoroshiro128plus>;

/** The state of a generator: plain numbers, so that it can be stored beside a checkpoint. */
export type RngState = readonly number[];

/**
 * Seeded random numbers on the host (xoroshiro128+ of pure-rand). A generator is a stream: every draw advances it, its
 * state can be saved and restored exactly, and independent streams split off it by seed.
 */
export class Rng {
  readonly #generator: Generator;

  private constructor(generator: Generator) {
    this.#generator = generator;
  }

  /** The stream of a seed. @throws InputError for a seed that is no integer. */
  static fromSeed(seed: number): Rng {
    if (!Number.isSafeInteger(seed)) throw new InputError(`A seed is an integer, but ${seed} was given.`);
    // Seeds that differ by little give unrelated streams only after mixing.
    return new Rng(xoroshiro128plus(mix(seed | 0, Math.floor(seed / 2 ** 32))));
  }

  /** Continues a stream where `state()` was taken. */
  static fromState(state: RngState): Rng {
    return new Rng(xoroshiro128plusFromState(state));
  }

  /** The present state, JSON-able. */
  state(): RngState {
    return [...this.#generator.getState()];
  }

  /** 32 random bits as an unsigned integer. */
  bits(): number {
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
    // Draws from the incomplete last copy of the range are rejected, so that every value is equally likely.
    const limit = 2 ** 32 - (2 ** 32 % n);
    let draw = this.bits();
    while (draw >= limit) draw = this.bits();
    return draw % n;
  }

  /** An independent child stream; advances this one. */
  split(): Rng {
    return new Rng(xoroshiro128plus(mix(this.bits(), this.bits())));
  }

  /** A child stream that depends on this one's state and a label; this one stays where it is. */
  fork(label: string): Rng {
    let hash = 0x811c9dc5;
    for (const character of label) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
    return new Rng(xoroshiro128plus(this.state().reduce((seed, word) => mix(seed, word), hash)));
  }

  /** Uniform values in [low, high). */
  uniformArray(shape: readonly number[], low = 0, high = 1): NDArray<'float32'> {
    return this.#fill(shape, () => low + (high - low) * this.uniform());
  }

  /** Normal values. */
  normalArray(shape: readonly number[], mean = 0, deviation = 1): NDArray<'float32'> {
    return this.#fill(shape, () => mean + deviation * this.normal());
  }

  /** The numbers 0 to n − 1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
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
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = draw();
    return ndarray(values, shape);
  }
}

/** Scrambles two words into one. */
function mix(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  return x ^ (x >>> 16);
}
