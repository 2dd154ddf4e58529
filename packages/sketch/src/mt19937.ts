import { InputError } from '@palimpsest/base';

const LENGTH = 624;
const MIDDLE = 397;

/**
 * The 32-bit Mersenne Twister (Matsumoto & Nishimura 1998), bit-compatible with the generator from which the reference
 * draws its hash tables.
 */
export class Mt19937 {
  readonly #state = new Uint32Array(LENGTH);
  #position = LENGTH;

  /**
   * @param seed taken modulo 2^32
   * @throws InputError unless the seed is a safe integer
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new InputError(`seed must be a safe integer, but is ${seed}.`);
    const state = this.#state;
    state[0] = seed >>> 0;
    for (let i = 1; i < LENGTH; i++) {
      const previous = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(previous, 1812433253) + i;
    }
  }

  /** The next tempered output: 32 random bits. */
  nextUint32(): number {
    if (this.#position === LENGTH) this.#twist();
    let x = this.#state[this.#position]!;
    this.#position += 1;
    x ^= x >>> 11;
    x ^= (x << 7) & 0x9d2c5680;
    x ^= (x << 15) & 0xefc60000;
    return (x ^ (x >>> 18)) >>> 0;
  }

  /** Uniform in [0, 1) with 24 bits, as the reference's float generator gives it. */
  nextUniform(): number {
    return (this.nextUint32() & 0xffffff) / 2 ** 24;
  }

  /**
   * An integer in [0, n) by remainder; its bias is below n / 2^32.
   * @throws InputError unless n is an integer from 1 to 2^32
   */
  nextInt(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new InputError(`The range of nextInt must be an integer from 1 to 2^32, but is ${n}.`);
    }
    return this.nextUint32() % n;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < LENGTH; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % LENGTH]! & 0x7fffffff);
      const odd = joined & 1 ? 0x9908b0df : 0;
      state[i] = state[(i + MIDDLE) % LENGTH]! ^ (joined >>> 1) ^ odd;
    }
    this.#position = 0;
  }
}
