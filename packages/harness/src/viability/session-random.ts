import { fnv1a } from '@palimpsest/base';

const TWO_TO_32 = 2 ** 32;

/**
 * The random numbers of generated sessions: a state of 32 bits, the same on every machine and in every program that makes such
 * sessions. Everything else takes `Rng`.
 */
export class SessionRandom {
  #state: number;

  constructor(state: number) {
    this.#state = state >>> 0;
  }

  /** The stream of a seed and a purpose. */
  static stream(seed: number, label: string): SessionRandom {
    return new SessionRandom(fnv1a(`${seed}/${label}`));
  }

  /** A whole number in [0, 2³²). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A whole number in [0, n). */
  int(n: number): number {
    return Math.floor((this.u32() * n) / TWO_TO_32);
  }

  /** A number in [0, 1). */
  float(): number {
    return this.u32() / TWO_TO_32;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!;
  }

  /** A shuffled copy, swapped from the last element to the second. */
  shuffle<T>(list: readonly T[]): T[] {
    const shuffled = [...list];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  }
}
