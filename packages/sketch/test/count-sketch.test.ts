import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountSketch, compactTable, createTable } from '../src/index.js';
import { dot, meanAndVariance, norm, normals, relativeError, zScore } from './support/statistics.js';

const sizes = fc.record({
  dim: fc.integer({ min: 1, max: 40 }),
  sketchDim: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 70 })),
  seed: fc.integer(),
});

/** The dense matrix S, row-major [m, d]. */
function denseMatrix(sketch: CountSketch): Float64Array {
  const { dim, sketchDim, index, sign } = sketch.table;
  const matrix = new Float64Array(sketchDim * dim);
  for (let i = 0; i < dim; i++) matrix[index[i]! * dim + i] = sign[i]!;
  return matrix;
}

describe('the matrix of a CountSketch (property 2)', () => {
  it('has one ±1 per column and the Gram matrix of its collisions', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const sketch = new CountSketch(size);
        const { index, sign } = sketch.table;
        const columns = Array.from({ length: size.dim }, (_, i) =>
          sketch.apply(Float64Array.from({ length: size.dim }, (_, j) => (i === j ? 1 : 0))),
        );
        for (const [i, column] of columns.entries()) {
          expect([...column].filter((value) => value !== 0)).toEqual([sign[i]]);
          for (const [j, other] of columns.entries()) {
            expect(dot(column, other)).toBe(index[i] === index[j] ? sign[i]! * sign[j]! : 0);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is what apply multiplies with, for rows in either precision', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 3 }), fc.nat(), (size, rows, seed) => {
        const sketch = new CountSketch(size);
        const matrix = denseMatrix(sketch);
        const values = normals(rows * size.dim, seed);
        const product = (x: Float64Array) =>
          Float64Array.from({ length: rows * size.sketchDim }, (_, at) => {
            const [row, r] = [Math.floor(at / size.sketchDim), at % size.sketchDim];
            return dot(
              matrix.subarray(r * size.dim, (r + 1) * size.dim),
              x.subarray(row * size.dim, (row + 1) * size.dim),
            );
          });
        const integers = values.map((value) => Math.round(100 * value));
        expect(sketch.apply(integers).map((value) => value + 0)).toEqual(
          product(integers).map((value) => value + 0),
        );
        const single = sketch.apply(Float32Array.from(values));
        expect(single).toBeInstanceOf(Float32Array);
        // Terms may cancel, so rounding is measured against the sum of their magnitudes.
        const exact = product(values);
        for (const [at, value] of single.entries()) {
          const row = Math.floor(at / size.sketchDim);
          const inputs = values.subarray(row * size.dim, (row + 1) * size.dim);
          const magnitude = inputs.reduce((sum, input) => sum + Math.abs(input), 0);
          expect(Math.abs(value - exact[at]!)).toBeLessThanOrEqual(1e-6 * magnitude);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('linearity (property 3)', () => {
  it('S(αx + βy) = αSx + βSy; merged, scaled, updated and sparse sketches agree with the dense one', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.double({ min: -3, max: 3, noNaN: true }), (size, seed, alpha) => {
        const [x, y] = [normals(size.dim, seed), normals(size.dim, seed + 1)];
        const combined = x.map((value, i) => alpha * value + y[i]!);
        const [a, b, both] = [x, y, combined].map((vector) => {
          const sketch = new CountSketch(size);
          sketch.add(vector);
          return sketch;
        });
        a!.scale(alpha);
        a!.merge(b!);
        expect(relativeError(a!.counters, both!.counters)).toBeLessThan(1e-6);
        expect(relativeError(both!.counters, both!.apply(combined))).toBeLessThan(1e-6);
        const updated = new CountSketch(size);
        for (const [i, value] of combined.entries()) updated.update(i, value);
        expect(relativeError(updated.counters, both!.counters)).toBeLessThan(1e-6);
        const indices = [...combined.keys()].reverse();
        const sparse = both!.applySparse(
          indices,
          indices.map((i) => combined[i]!),
        );
        expect(relativeError(sparse, both!.counters)).toBeLessThan(1e-6);
      }),
      { numRuns: 100 },
    );
  });
});

// Buckets that are independent in pairs only collide in bursts: their sample variance needs ten times the draws.
describe.each([
  ['mt19937', 4000],
  ['polynomial', 40_000],
] as const)('statistics of tables of the family %s over %i draws', (family, draws) => {
  const [dim, sketchDim] = [24, 64];
  const [x, y] = [normals(dim, 1), normals(dim, 2)];
  const inner = new Float64Array(draws);
  const squares = new Float64Array(draws);
  const estimates = Array.from({ length: dim }, () => new Float64Array(draws));
  for (let draw = 0; draw < draws; draw++) {
    const a = new CountSketch({ dim, sketchDim, seed: draw, family });
    const b = new CountSketch(a.table);
    a.add(x);
    b.add(y);
    inner[draw] = a.inner(b);
    squares[draw] = a.norm() ** 2;
    for (let i = 0; i < dim; i++) estimates[i]![draw] = a.estimate(i);
  }
  const sumOf = (term: (i: number) => number) => [...x.keys()].reduce((sum, i) => sum + term(i), 0);
  const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
  const exactVariance = (xx * yy + xy ** 2 - 2 * sumOf((i) => x[i]! ** 2 * y[i]! ** 2)) / sketchDim;

  it('the inner product is unbiased (property 4)', () => {
    expect(Math.abs(zScore(inner, xy, exactVariance))).toBeLessThan(4.5);
  });

  it('its variance is the exact one (property 5)', () => {
    const ratio = meanAndVariance(inner).variance / exactVariance;
    expect(ratio).toBeGreaterThan(0.85);
    expect(ratio).toBeLessThan(1.15);
  });

  it('the squared norm is unbiased', () => {
    const variance = (2 / sketchDim) * (xx ** 2 - sumOf((i) => x[i]! ** 4));
    expect(Math.abs(zScore(squares, xx, variance))).toBeLessThan(4.5);
  });

  it('point queries have the stated mean and variance (property 6)', () => {
    const exact = (i: number) => (xx - x[i]! ** 2) / sketchDim;
    const scores = estimates.map((values, i) => Math.abs(zScore(values, x[i]!, exact(i))));
    expect(Math.max(...scores)).toBeLessThan(5);
    const ratios = estimates.map((values, i) => meanAndVariance(values).variance / exact(i));
    expect(meanAndVariance(ratios).mean).toBeGreaterThan(0.9);
    expect(meanAndVariance(ratios).mean).toBeLessThan(1.1);
  });
});

describe('saving a sketch', () => {
  it('round-trips through JSON and bytes', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, seed) => {
        const sketch = new CountSketch(size);
        sketch.add(normals(size.dim, seed));
        const bytes = sketch.toBytes();
        expect(bytes).toHaveLength(20 + 5 * size.dim + 8 * size.sketchDim);
        for (const copy of [
          CountSketch.fromJSON(JSON.parse(JSON.stringify(sketch))),
          CountSketch.fromBytes(bytes),
        ]) {
          expect(copy.table).toEqual(sketch.table);
          expect(copy.counters.map((value) => value + 0)).toEqual(sketch.counters.map((value) => value + 0));
          copy.merge(sketch);
          expect(copy.norm()).toBeCloseTo(2 * sketch.norm(), 9);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('reads bytes that start anywhere in a larger buffer', () => {
    const sketch = new CountSketch({ dim: 5, sketchDim: 3, seed: 1 });
    sketch.update(2, 1.5);
    const bytes = sketch.toBytes();
    const larger = new Uint8Array(bytes.length + 3);
    larger.set(bytes, 3);
    expect(CountSketch.fromBytes(larger.subarray(3)).counters).toEqual(sketch.counters);
  });
});

it('compaction keeps all inner products (property 19)', () => {
  for (const [dim, sketchDim] of [
    [64, 2048],
    [64, 1024],
    [128, 4096],
    [128, 1024],
    [256, 8192],
    [512, 8192],
  ] as const) {
    const table = createTable({ dim, sketchDim, seed: 42 });
    const { used, index, sign } = compactTable(table);
    const compact = new CountSketch({ dim, sketchDim: used.length, index, sign });
    const whole = new CountSketch(table);
    const [x, y] = [
      normals(dim, 3).map((v) => Math.round(9 * v)),
      normals(dim, 4).map((v) => Math.round(9 * v)),
    ];
    expect(dot(compact.apply(x), compact.apply(y))).toBe(dot(whole.apply(x), whole.apply(y)));
    expect([...used].map((bucket) => whole.apply(x)[bucket])).toEqual([...compact.apply(x)]);
    expect(norm(whole.apply(x))).toBe(norm(compact.apply(x)));
  }
});
