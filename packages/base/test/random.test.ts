import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError, Rng } from '../src/index.js';

const draws = (rng: Rng, count: number) => Array.from({ length: count }, () => rng.uniform());

/** Mean, variance, skewness and excess kurtosis. */
function moments(values: ArrayLike<number>) {
  const list = Array.from(values);
  const mean = list.reduce((sum, x) => sum + x, 0) / list.length;
  const central = (power: number) => list.reduce((sum, x) => sum + (x - mean) ** power, 0) / list.length;
  const variance = central(2);
  return { mean, variance, skewness: central(3) / variance ** 1.5, kurtosis: central(4) / variance ** 2 - 3 };
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [moments(a), moments(b)];
  const covariance = a.reduce((sum, value, i) => sum + (value - x.mean) * (b[i]! - y.mean), 0) / a.length;
  return covariance / Math.sqrt(x.variance * y.variance);
}

describe('streams', () => {
  test('a seed always gives the same numbers', () => {
    const rng = Rng.fromSeed(7);
    expect([rng.int(1000), rng.int(1000), rng.int(1000), rng.int(1000)]).toEqual([24, 759, 375, 637]);
    expect(rng.uniform()).toBe(0.9369058716376586);
  });

  test('a state continues a stream exactly, after any draws and through JSON', () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.array(fc.constantFrom('uniform', 'normal', 'split', 'key')),
        (seed, steps) => {
          const rng = Rng.fromSeed(seed);
          for (const step of steps) rng[step as 'uniform']();
          const copy = Rng.fromState(JSON.parse(JSON.stringify(rng.state())));
          const ahead = (stream: Rng) => [
            stream.normal(),
            stream.uniform(),
            stream.split().uniform(),
            stream.int(9),
          ];
          expect(ahead(copy)).toEqual(ahead(rng));
          expect(copy.state()).toEqual(rng.state());
        },
      ),
    );
  });

  test('seeds that differ in the low or high word, children and forks are all different streams', () => {
    const parent = Rng.fromSeed(1);
    const streams = [
      ...Array.from({ length: 500 }, (_, seed) => Rng.fromSeed(seed - 250)),
      ...Array.from({ length: 200 }, (_, word) => Rng.fromSeed((word + 1) * 2 ** 32)),
      ...Array.from({ length: 500 }, (_, label) => parent.fork(`layer ${label}`)),
      ...Array.from({ length: 500 }, () => parent.split()),
    ];
    const firsts = new Set(streams.map((stream) => stream.uniform()));
    expect(firsts.size).toBe(streams.length);
    const states = new Set(streams.flatMap((stream) => stream.state()));
    // 6,800 words of 32 bits: a repeated word is a matter of one in two hundred, three never happen by chance.
    expect(states.size).toBeGreaterThan(4 * streams.length - 3);
  });

  test('neighbouring seeds, parent and child are uncorrelated', () => {
    const count = 4000;
    const parent = Rng.fromSeed(3);
    const child = parent.split();
    const pairs: [Rng, Rng][] = [
      [Rng.fromSeed(1), Rng.fromSeed(2)],
      [Rng.fromSeed(0), Rng.fromSeed(2 ** 32)],
      [parent.fork('a'), parent.fork('b')],
      [child, parent],
    ];
    for (const [a, b] of pairs) {
      expect(Math.abs(correlation(draws(a, count), draws(b, count)))).toBeLessThan(4 / Math.sqrt(count));
    }
    // The first draws of consecutive seeds form a uniform sample, too.
    const first = moments(Array.from({ length: count }, (_, seed) => Rng.fromSeed(seed).uniform()));
    expect(first.mean).toBeCloseTo(0.5, 1.5);
    expect(Math.abs(first.mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / count));
    expect(first.variance).toBeCloseTo(1 / 12, 2);
  });

  test('fork depends on the label and leaves its parent alone; split advances it', () => {
    const rng = Rng.fromSeed(11);
    const before = rng.state();
    expect(rng.fork('weights').uniform()).toBe(rng.fork('weights').uniform());
    expect(rng.fork('weights').uniform()).not.toBe(rng.fork('weightt').uniform());
    expect(rng.fork('').uniform()).not.toBe(rng.fork('\0').uniform());
    expect(rng.state()).toEqual(before);
    const again = Rng.fromState(before);
    expect(rng.split().uniform()).toBe(again.split().uniform());
    expect(rng.state()).not.toEqual(before);
  });
});

describe('distributions', () => {
  test('uniform numbers have the moments of the uniform distribution', () => {
    const { mean, variance, kurtosis } = moments(draws(Rng.fromSeed(5), 40_000));
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 40_000));
    expect(variance).toBeCloseTo(1 / 12, 2);
    expect(kurtosis).toBeCloseTo(-1.2, 1);
  });

  test('normal numbers have the moments of the normal distribution', () => {
    const array = Rng.fromSeed(5).normalArray([40_000], 3, 2);
    const { mean, variance, skewness, kurtosis } = moments(array.data);
    expect(Math.abs(mean - 3)).toBeLessThan(4 * (2 / 200));
    expect(Math.abs(variance - 4)).toBeLessThan(4 * 4 * Math.sqrt(2 / 40_000));
    expect(Math.abs(skewness)).toBeLessThan(4 * Math.sqrt(6 / 40_000));
    expect(Math.abs(kurtosis)).toBeLessThan(4 * Math.sqrt(24 / 40_000));
  });

  test.each([1, 2, 3, 10, 65])('integers below %i are equally likely (chi-square)', (n) => {
    const counts = new Array<number>(n).fill(0);
    const rng = Rng.fromSeed(n);
    const total = 1000 * n;
    for (let i = 0; i < total; i++) counts[rng.int(n)]! += 1;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThanOrEqual(n - 1 + 4 * Math.sqrt(2 * (n - 1)));
    expect(counts).toHaveLength(n);
  });

  test('integers reach the ends of the widest range', () => {
    const rng = Rng.fromSeed(0);
    const values = Array.from({ length: 2000 }, () => rng.int(2 ** 32));
    expect(Math.max(...values)).toBeGreaterThan(0.99 * 2 ** 32);
    expect(Math.min(...values)).toBeLessThan(0.01 * 2 ** 32);
    expect(values.every((value) => Number.isInteger(value) && value >= 0)).toBe(true);
  });

  test('uniform arrays stay below their upper end after rounding to float32', () => {
    // Between 1 and its neighbour there is nothing: half of all draws would round up to the open end.
    const narrow = Rng.fromSeed(1).uniformArray([100], 1, 1 + 2 ** -23);
    expect(new Set(narrow.data)).toEqual(new Set([1]));
    expect(Array.from(Rng.fromSeed(1).uniformArray([3], 2, 2).data)).toEqual([2, 2, 2]);
    const wide = Rng.fromSeed(1).uniformArray([50, 40], -3, -1);
    expect(wide.shape).toEqual([50, 40]);
    expect(Math.min(...wide.data)).toBeGreaterThanOrEqual(-3);
    expect(Math.max(...wide.data)).toBeLessThan(-1);
  });

  test('a permutation holds every number once, and all orders occur equally often', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(200), (seed, n) => {
        const order = Array.from(Rng.fromSeed(seed).permutation(n));
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
    const counts = new Map<string, number>();
    const rng = Rng.fromSeed(9);
    for (let i = 0; i < 6000; i++) {
      const key = rng.permutation(3).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test('keys are int32 pairs and differ', () => {
    const rng = Rng.fromSeed(2);
    const keys = Array.from({ length: 1000 }, () => rng.key());
    expect(keys[0]).toMatchObject({ shape: [2], dtype: 'int32' });
    expect(new Set(keys.map(({ data }) => data.join())).size).toBe(1000);
    expect(keys.some(({ data }) => data[0]! < 0)).toBe(true);
  });
});

test('bad arguments are named', () => {
  expect(() => Rng.fromSeed(1.5)).toThrow(new InputError('A seed is an integer, but 1.5 was given.'));
  expect(() => Rng.fromSeed(2 ** 53)).toThrow(InputError);
  expect(() => Rng.fromState([1, 2, 3])).toThrow(/four 32-bit integers.*\[1,2,3\]/);
  expect(() => Rng.fromState([0, 0, 0, 0])).toThrow(InputError);
  expect(() => Rng.fromState([1, 2, 3, 4.5])).toThrow(InputError);
  expect(() => Rng.fromSeed(1).int(0)).toThrow(/1 to 2\^32, but 0/);
  expect(() => Rng.fromSeed(1).permutation(-1)).toThrow(/-1 was given/);
});
