/**
 * Seeded uniform and normal numbers on the host (SplitMix32 stream, Box-Muller). It is not PyTorch's generator:
 * where a reference draw matters, the drawn numbers are an input.
 */
export class Random {
  #state: number;
  #spare: number | undefined;

  constructor(seed: number) {
    this.#state = (Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bf03635) >>> 0;
  }

  /** Uniform in [0, 1), 32 bits. */
  uniform(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296;
  }

  /** Whole number in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal. */
  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** `count` standard normals times `scale`. */
  normals(count: number, scale = 1): Float64Array {
    return Float64Array.from({ length: count }, () => scale * this.normal());
  }

  /** The generator's position, for saving; restored by {@link Random.fromState}. */
  state(): number[] {
    return this.#spare === undefined ? [this.#state] : [this.#state, this.#spare];
  }

  static fromState(state: readonly number[]): Random {
    const random = new Random(0);
    random.#state = state[0]! >>> 0;
    random.#spare = state[1];
    return random;
  }
}
