import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LevelTable } from '../src/coders/level-table.js';
import { project } from '../src/coders/projection.js';
import { Trellis, type TrellisStates } from '../src/coders/trellis.js';
import { type KakeyaConfigInput, KakeyaSet, matrix, presets, Random, rowOf } from '../src/index.js';
import { roundAllToHalf, roundToHalf } from '../src/linalg/float16.js';
import { matrixKernels } from '../src/linalg/matrix-kernel.js';
import { lowRank } from './vectors.js';

const random = new Random(21);
const draw = (rows: number, cols: number) => matrix(rows, cols, random.normals(rows * cols));

describe('projections of a block', () => {
  it.each([
    [1, 7, 3, true],
    [5, 1, 1, false],
    [9, 31, 2, true],
    [127, 256, 24, false],
    [128, 515, 70, true],
  ])('%i rows of %i in %i dimensions: the kernel gives the numbers of plain loops', (n, d, r, isScaled) => {
    const scale = isScaled ? Float32Array.from(random.normals(d), (x) => 1 + Math.abs(x)) : null;
    const projector = { basis: draw(r, d), mean: random.normals(d), scale };
    const rows = draw(n, d);
    expect(project(rows, projector)).toEqual(project(rows, projector, null));
    const single = matrix(n, d, Float32Array.from(rows.data));
    const whole = project(single, projector);
    for (let i = 0; i < n; i++) {
      const one = project(matrix(1, d, rowOf(single, i)), projector);
      expect(one.coefficients.data).toEqual(rowOf(whole.coefficients, i));
      expect(one.energies[0]).toBe(whole.energies[i]);
      expect(one.spreads[0]).toBe(whole.spreads[i]);
    }
  });
});

describe('the trellis search', () => {
  it('finds the same codes and levels with and without kernels, far outside of the levels too', () => {
    const tables = [4, 8, 16, 512].map(
      (count) => new LevelTable(Float64Array.from(random.normals(count)).sort()),
    );
    fc.assert(
      fc.property(
        fc.constantFrom<TrellisStates>(4, 8, 16, 32, 64, 128, 256),
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(1e-3, 1, 30, 1e9, 1e150),
        fc.integer(),
        (states, n, size, seed) => {
          const drawn = new Random(seed);
          const x = Float64Array.from(drawn.normals(n), (value) => value * size);
          const components = {
            weights: Float64Array.from(drawn.normals(n), (value) => value ** 2),
            tables: Array.from({ length: n }, () => tables[drawn.integer(tables.length)]!),
          };
          const [ours, plain] = [new Trellis(states), new Trellis(states, null)];
          const [codes, others] = [new Uint16Array(n), new Uint16Array(n)];
          const [levels, otherLevels] = [x.slice(), x.slice()];
          ours.coder(components)(levels, 0, codes);
          plain.coder(components)(otherLevels, 0, others);
          expect(codes).toEqual(others);
          expect(levels).toEqual(otherLevels);
          const indices = ours.decode(Int32Array.from(codes));
          expect([...levels]).toEqual([...indices].map((index, p) => components.tables[p]!.levels[index]!));
        },
      ),
      { numRuns: 300, seed: 2 },
    );
  });

  it('has kernels here', () => {
    expect(matrixKernels()).toBeDefined();
  });

  it('finds the nearest level as a comparison with all of them does', () => {
    for (const count of [4, 7, 64, 512]) {
      const levels = Float64Array.from(random.normals(count)).sort();
      const table = new LevelTable(levels);
      for (const x of [...random.normals(300), ...table.thresholds, -1e300, 1e300]) {
        expect(table.nearestOfAll(x)).toBe(table.thresholds.filter((threshold) => threshold <= x).length);
      }
    }
  });
});

const kinds: Record<string, KakeyaConfigInput> = {
  reference: presets.reference,
  refit: { coder: 'sparse' },
  'half precision, few numbers': { coder: 'sparse', kakeyaDRes: 40 },
  scalar: { quantiser: 'scalar' },
  trellis: {},
  'trellis of 9 bytes': { bytesPerVec: 9 },
  'trellis of 300 bytes': { bytesPerVec: 300 },
};

describe.each(Object.entries(kinds))('%s', (_name, config) => {
  const rows = lowRank(300, 67, 12, 0.05, 4);
  const set = new KakeyaSet(0, 'ctx', ['f'], config);
  set.build(rows, new Random(5).normals(67));

  it('one vector gives the record that many give, whatever the block', () => {
    const records = set.encodeBatch(rows);
    for (const i of [0, 1, 126, 127, 128, 129, 255, 256, 299]) {
      expect(set.encode(rowOf(rows, i))).toEqual(records[i]);
    }
    expect(set.encodeBatch(matrix(3, 67, rows.data.slice(67 * 127, 67 * 130)))).toEqual(
      records.slice(127, 130),
    );
    expect(set.encodeBatch(matrix(0, 67))).toEqual([]);
  });

  it('relative errors are those of the decoded vectors, tiny and huge rows included', () => {
    const mean = rows.data.slice(0, 67).map((_, j) => {
      let sum = 0;
      for (let i = 0; i < 300; i++) sum += rows.data[i * 67 + j]! / 300;
      return sum;
    });
    const seen = [rowOf(rows, 7), mean, mean.map((x) => x * 1.000001), rowOf(rows, 9).map((x) => x * 1e6)];
    const scale = set.state!.scale ?? new Float32Array(67).fill(1);
    for (const v of [...seen, random.normals(67)]) {
      const record = set.encode(Float32Array.from(v));
      const decoded = set.decode(record);
      let [error, energy] = [0, 0];
      Float32Array.from(v).forEach((x, j) => {
        error += ((x - decoded[j]!) / scale[j]!) ** 2;
        energy += (x / scale[j]!) ** 2;
      });
      const exact = Math.sqrt(error) / Math.max(Math.sqrt(energy), 1e-8);
      expect(Math.abs(record.relErr - exact)).toBeLessThan(1e-6 * exact + 2e-7);
      expect(record.fieldRelErr).toEqual([record.relErr]);
    }
  });

  it('a number that is not finite is named with its row, in any block', () => {
    for (const [at, value] of [
      [3 * 67 + 5, Number.NaN],
      [200 * 67 + 5, Number.POSITIVE_INFINITY],
    ] as const) {
      const bad = matrix(300, 67, Float32Array.from(rows.data));
      bad.data[at] = value;
      const before = set.stats().breakEvenN;
      expect(() => set.encodeBatch(bad)).toThrow(new RegExp(`row ${Math.floor(at / 67)}, column 5`));
      expect(set.stats().breakEvenN).toBe(before);
    }
  });
});

it('halves are rounded together as they are one by one', () => {
  const bits = Uint32Array.from({ length: 20_000 }, () => random.integer(2 ** 31) * 2 + random.integer(2));
  const values = new Float32Array([
    ...new Float32Array(bits.buffer).filter((x) => !Number.isNaN(x)),
    ...[
      0,
      -0,
      65504,
      65519.99,
      65520,
      6.1e-5,
      5.9e-8,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      Number.POSITIVE_INFINITY,
    ],
  ]);
  expect(roundAllToHalf(values.slice())).toEqual(values.map(roundToHalf));
});
