import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  coderSpecs,
  LevelTable,
  lloydMaxLevels,
  matrix,
  Random,
  rateDistortion,
  rateDistortionSvg,
  rateDistortionTable,
  rowOf,
  TransformCoder,
  Trellis,
  TrellisCoder,
  waterfill,
} from '../src/index.js';
import { roundToHalf } from '../src/linalg/float16.js';
import { lowRank, slice } from './vectors.js';

const rows = lowRank(500, 32, 12, 0.2, 1);
const train = slice(rows, 0, 400);
const test = slice(rows, 400, 500);
const axis = new Random(2).normals(32);

describe('transform coder', () => {
  it('unpacks what it packs, for random codes', () => {
    const coder = TransformCoder.train(train, axis, { bytesPerVec: 11, k: 10 });
    const { bits } = coder.state;
    const code = fc.record({
      segId: fc.integer({ min: 0, max: 9 }),
      qAlpha: fc.integer({ min: -127, max: 127 }),
      qT: fc.integer({ min: -127, max: 127 }),
      levels: fc.tuple(...[...bits].map((b) => fc.integer({ min: 0, max: 2 ** b - 1 }))),
    });
    fc.assert(
      fc.property(code, ({ levels, ...rest }) => {
        const whole = { ...rest, levels: Int32Array.from(levels) };
        const bytes = coder.pack(whole);
        expect(bytes.length).toBe(11);
        expect(coder.unpack(bytes)).toEqual(whole);
      }),
    );
  });

  it('spends the whole budget unless every component has eight bits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 300 }),
        (variances, budget) => {
          const bits = waterfill(Float64Array.from(variances), budget);
          const spent = bits.reduce((a, b) => a + b, 0);
          expect(spent).toBe(Math.min(budget, 8 * variances.length));
          expect(Math.max(...bits)).toBeLessThanOrEqual(8);
        },
      ),
    );
  });

  it('refuses budgets, lengths and codes that cannot be', () => {
    expect(() => TransformCoder.train(train, axis, { bytesPerVec: 2 })).toThrow(/at least 3/);
    expect(() => TransformCoder.train(slice(rows, 0, 1), axis, { bytesPerVec: 8 })).toThrow(/two rows/);
    const coder = TransformCoder.train(train, axis, { bytesPerVec: 8, k: 5 });
    expect(() => coder.decode(new Uint8Array(7))).toThrow(/8 bytes, got 7/);
    expect(() => coder.decode(new Uint8Array(8).fill(255))).toThrow(/center 7 but the coder has 5/);
    expect(() => coder.encode(new Float64Array(31))).toThrow(/31 numbers where 32/);
    expect(() => coder.encode(new Float64Array(32).fill(Infinity))).toThrow(/Infinity at position 0/);
  });
});

describe('level tables', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('at %i bits are centroids of their cells (Lloyd-Max)', (bits) => {
    const levels = lloydMaxLevels(bits);
    const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    levels.forEach((level, i) => {
      const low = i === 0 ? -9 : (levels[i - 1]! + level) / 2;
      const high = i === levels.length - 1 ? 9 : (levels[i + 1]! + level) / 2;
      let mass = 0;
      let moment = 0;
      const steps = 4000;
      for (let s = 0; s < steps; s++) {
        const x = low + ((high - low) * (s + 0.5)) / steps;
        mass += density(x);
        moment += x * density(x);
      }
      expect(moment / mass).toBeCloseTo(level, 4);
    });
  });
});

describe('trellis', () => {
  const random = new Random(4);
  const table = new LevelTable(lloydMaxLevels(3));

  it.each([4, 8, 64, 256] as const)(
    'of %i states decodes the path it chose, and no single change improves it',
    (states) => {
      const trellis = new Trellis(states);
      const x = random.normals(40);
      const weights = new Float64Array(40).fill(1);
      const tables = Array.from({ length: 40 }, () => table);
      const cost = (codes: Int32Array) =>
        trellis.decode(codes).reduce((sum, level, i) => sum + (x[i]! - table.levels[level]!) ** 2, 0);
      const codes = trellis.encode(x, weights, tables);
      const best = cost(codes);
      for (let i = 0; i < 40; i++) {
        for (let other = 0; other < 4; other++) {
          const changed = codes.slice();
          changed[i] = other;
          expect(cost(changed)).toBeGreaterThanOrEqual(best - 1e-12);
        }
      }
    },
  );

  it('of 4 states finds the best of all paths', () => {
    const trellis = new Trellis(4);
    const x = random.normals(6);
    const tables = Array.from({ length: 6 }, () => table);
    const weights = Float64Array.of(1, 2, 0.5, 1, 3, 1);
    const cost = (codes: Int32Array) =>
      trellis
        .decode(codes)
        .reduce((sum, level, i) => sum + weights[i]! * (x[i]! - table.levels[level]!) ** 2, 0);
    let best = Infinity;
    for (let number = 0; number < 4 ** 6; number++) {
      best = Math.min(best, cost(Int32Array.from({ length: 6 }, (_, i) => (number >> (2 * i)) & 3)));
    }
    expect(cost(trellis.encode(x, weights, tables))).toBeCloseTo(best, 12);
  });

  it('refuses another number of states', () => {
    expect(() => new Trellis(5 as 4)).toThrow(/not 5/);
  });
});

describe('rate and distortion', () => {
  const sizes = [4, 6, 8, 12, 16, 24];

  it('falls with the bytes, and the trellis stays below the scalar coder and pca-int8 at every size', () => {
    const run = (spec: (bytes: number) => ReturnType<typeof coderSpecs.transform>) =>
      rateDistortion(train, test, sizes.map(spec), { axis }).map(({ median }) => median);
    const trellis = run((bytes) => coderSpecs.trellis(bytes, 16));
    const scalar = run((bytes) => coderSpecs.transform(bytes, 16));
    const int8 = run(coderSpecs.pcaInt8);
    for (const curve of [trellis, scalar, int8]) {
      curve.slice(1).forEach((median, i) => {
        expect(median).toBeLessThan(curve[i]!);
      });
    }
    trellis.forEach((median, i) => {
      expect(median).toBeLessThan(scalar[i]!);
      expect(median).toBeLessThan(int8[i]!);
    });
  });

  it('gives a table and a picture of what it measured', () => {
    const measured = rateDistortion(train, test, [coderSpecs.pcaInt8(8), coderSpecs.productQuantiser(8)]);
    expect(measured[0]!.ratioAtN).toBeCloseTo((4 * 32 * 400) / (measured[0]!.skeletonBytes + 8 * 400), 10);
    const table = rateDistortionTable(measured);
    expect(table.split('\n')).toHaveLength(4);
    expect(table).toContain(`| pq | 8 | ${measured[1]!.median.toFixed(4)} |`);
    const svg = rateDistortionSvg(measured, 'a < b');
    expect(svg).toContain('a &lt; b');
    expect(svg.match(/<polyline/g)).toHaveLength(2);
  });

  it('repeats itself exactly', () => {
    const train200 = slice(rows, 0, 200);
    const once = TrellisCoder.train(train200, axis, { bytesPerVec: 8 });
    const again = TrellisCoder.train(train200, axis, { bytesPerVec: 8 });
    expect(once.encode(rowOf(test, 0))).toEqual(again.encode(rowOf(test, 0)));
  });
});

describe('half precision', () => {
  it('rounds to the nearest half, ties to even, and keeps what is one already', () => {
    expect([1, -2.5, 65504, 2 ** -24, 0.333251953125].map(roundToHalf)).toEqual([
      1,
      -2.5,
      65504,
      2 ** -24,
      0.333251953125,
    ]);
    expect(roundToHalf(1 + 2 ** -11)).toBe(1);
    expect(roundToHalf(1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
    expect(roundToHalf(2 ** -26)).toBe(0);
    expect(roundToHalf(1e6)).toBe(Infinity);
    fc.assert(
      fc.property(fc.double({ min: -60000, max: 60000, noNaN: true }), (x) => {
        expect(Math.abs(roundToHalf(x) - x)).toBeLessThanOrEqual(Math.max(Math.abs(x) * 2 ** -11, 2 ** -25));
      }),
    );
  });
});

it('a matrix needs numbers for every cell', () => {
  expect(() => matrix(2, 3, new Float64Array(5))).toThrow(/needs 6 numbers, got 5/);
});
