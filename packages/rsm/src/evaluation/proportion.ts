/** A share of successes with its 95 % interval. */
export interface Proportion {
  readonly value: number;
  readonly successes: number;
  readonly samples: number;
  /** Wilson's score interval at 95 %. */
  readonly interval: readonly [number, number];
}

const Z95 = 1.959963984540054;

/**
 * Share of successes with Wilson's score interval (Wilson 1927), which stays inside [0, 1] and is honest for few samples.
 * @param samples at least 1.
 */
export function proportion(successes: number, samples: number): Proportion {
  const value = successes / samples;
  const z2 = Z95 * Z95;
  const centre = (value + z2 / (2 * samples)) / (1 + z2 / samples);
  const half =
    (Z95 * Math.sqrt((value * (1 - value)) / samples + z2 / (4 * samples * samples))) / (1 + z2 / samples);
  return { value, successes, samples, interval: [Math.max(0, centre - half), Math.min(1, centre + half)] };
}
