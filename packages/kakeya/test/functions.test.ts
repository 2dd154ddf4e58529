import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  alignmentError,
  computePca,
  IncrementalPca,
  type Matrix,
  matrix,
  matrixFromRows,
  projectIntoPca,
  pushforward,
  ridgeMap,
  rowOf,
  solveAlignedTDir,
  sphericalKMeans,
} from '../src/index.js';
import { gaussian, lowRank, slice } from './vectors.js';

function product(a: Matrix, b: Matrix): number[] {
  const result: number[] = [];
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      const other = rowOf(b, j);
      result.push(Array.from(rowOf(a, i)).reduce((sum, x, k) => sum + x * other[k]!, 0));
    }
  }
  return result;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, atol: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++)
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThanOrEqual(atol);
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}

function unitRows(m: Matrix): Matrix {
  return matrixFromRows(
    Array.from({ length: m.rows }, (_, i) => {
      const row = rowOf(m, i);
      return Float64Array.from(row, (x) => x / Math.hypot(...row));
    }),
  );
}

describe('alignment', () => {
  it('pushes the i-th unit axis forward to row i and projects basis rows to one-hot vectors', () => {
    const map = gaussian(5, 9, 1);
    for (let i = 0; i < 5; i++) {
      expectClose(pushforward(identity(5).slice(5 * i, 5 * i + 5), map), rowOf(map, i), 1e-12);
    }
    const { basis } = computePca(gaussian(30, 9, 2), 0.9);
    for (let i = 0; i < basis.rows; i++) {
      expectClose(
        projectIntoPca(rowOf(basis, i), basis),
        identity(basis.rows).slice(i * basis.rows, (i + 1) * basis.rows),
        1e-9,
      );
    }
  });

  it('gives a unit direction that does not depend on the length of the target, and errors within [0, 2]', () => {
    const numbers = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(numbers, { minLength: 2, maxLength: 12 }),
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        (values, factor) => {
          const target = Float64Array.from(values);
          fc.pre(Math.hypot(...target) > 1e-3);
          const { tDir } = solveAlignedTDir(target);
          const scaled = solveAlignedTDir(target.map((x) => x * factor)).tDir;
          expectClose(tDir, scaled, 1e-12);
          const opposite = target.map((x) => -x);
          expect(alignmentError(tDir, target)).toBeLessThan(1e-12);
          expect(alignmentError(tDir, opposite)).toBeCloseTo(2, 10);
        },
      ),
    );
    expect(alignmentError(Float64Array.of(1, 0), Float64Array.of(0, 3))).toBeCloseTo(Math.SQRT2, 12);
    expect(solveAlignedTDir(new Float64Array(3))).toEqual({ tDir: Float64Array.of(1, 0, 0), error: 1 });
  });

  it('refuses shapes that do not fit', () => {
    const map = gaussian(5, 9, 1);
    expect(() => pushforward(new Float64Array(4), map)).toThrow(/4 numbers.*5 rows/);
    expect(() => projectIntoPca(new Float64Array(4), map)).toThrow(/4 numbers.*9 columns/);
    expect(() => alignmentError(new Float64Array(4), new Float64Array(5))).toThrow(/4 numbers.*5/);
    expect(() => solveAlignedTDir(new Float64Array(0))).toThrow(/empty/);
  });
});

describe('PCA', () => {
  it.each([
    ['tall', 80, 12],
    ['wide', 12, 80],
  ])('of %s rows has an orthonormal basis with canonical signs that captures the ratio', (_, rows, cols) => {
    const x = lowRank(rows, cols, 4, 0.05, 3);
    const { basis, mean, dEff, singularValues } = computePca(x, 0.99);
    expectClose(product(basis, basis), identity(dEff), 1e-10);
    for (let i = 0; i < dEff; i++) {
      const row = rowOf(basis, i);
      expect(Math.max(...row)).toBeGreaterThanOrEqual(-Math.min(...row) - 1e-12);
    }
    const energy = singularValues.map((s) => s * s);
    const total = energy.reduce((a, b) => a + b, 0);
    expect(energy.slice(0, dEff).reduce((a, b) => a + b, 0) / total).toBeGreaterThanOrEqual(0.99);
    expect(dEff).toBeLessThanOrEqual(6);
    const centredTotal = Array.from(x.data).reduce(
      (sum: number, value: number, i: number) => sum + (value - mean[i % cols]!) ** 2,
      0,
    );
    expect(total).toBeCloseTo(centredTotal, 6);
  });

  it('does not depend on row order, and a translation moves only the mean', () => {
    const x = lowRank(25, 10, 3, 0.1, 4);
    const order = [...Array(25).keys()].sort((a, b) => ((a * 7) % 25) - ((b * 7) % 25));
    const shuffled = matrixFromRows(order.map((i) => rowOf(x, i)));
    const moved = matrix(25, 10, x.data.map((value: number, i: number) => value + (i % 10)) as Float64Array);
    const [a, b, c] = [x, shuffled, moved].map((m) => computePca(m, 0.99));
    expectClose(b!.basis.data, a!.basis.data, 1e-8);
    expectClose(c!.basis.data, a!.basis.data, 1e-8);
    expectClose(
      c!.mean,
      a!.mean.map((value, j) => value + j),
      1e-10,
    );
  });

  it('finds the rank of degenerate data under both rules', () => {
    const constant = matrix(10, 6, new Float64Array(60).fill(0.3));
    expect(computePca(constant, 0.99).dEff).toBe(6);
    expect(computePca(constant, 0.99, { rankRule: 'numerical' }).dEff).toBe(2);
    const line = matrix(
      8,
      6,
      Float64Array.from({ length: 48 }, (_, i) => Math.floor(i / 6) * ((i % 6) + 1)),
    );
    const { basis, dEff } = computePca(line, 1, { rankRule: 'numerical' });
    expect(dEff).toBe(2);
    expectClose(product(basis, basis), identity(2), 1e-12);
  });
});

describe('incremental PCA', () => {
  it('equals the PCA of all rows however they are cut into batches', () => {
    const x = lowRank(60, 15, 5, 0.2, 5);
    const whole = computePca(x, 1);
    for (const cuts of [[60], [1, 59], [10, 20, 30], [7, 7, 7, 39]]) {
      const pca = new IncrementalPca();
      let at = 0;
      for (const size of cuts) {
        pca.update(slice(x, at, at + size));
        at += size;
      }
      expect(pca.count).toBe(60);
      expectClose(pca.mean, whole.mean, 1e-12);
      expectClose(pca.singularValues, whole.singularValues, 1e-9);
      expectClose(pca.basis.data, whole.basis.data, 1e-6);
    }
  });

  it('keeps at most maxRank components and refuses a bad batch unchanged', () => {
    const pca = new IncrementalPca();
    pca.update(gaussian(20, 8, 6), 3);
    expect(pca.basis.rows).toBe(3);
    const before = pca.singularValues.slice();
    expect(() => pca.update(gaussian(5, 9, 1))).toThrow(/9 columns where 8/);
    expect(() => pca.update(matrix(1, 8, new Float64Array(8).fill(Number.NaN)))).toThrow(/row 0/);
    expect(pca.singularValues).toEqual(before);
    expect(pca.count).toBe(20);
  });
});

describe('spherical k-means', () => {
  it('gives unit centers, the same every time, at which no row prefers another center', () => {
    const dirs = unitRows(gaussian(200, 8, 7));
    const { centers, labels } = sphericalKMeans(dirs, 9);
    for (let c = 0; c < 9; c++) expect(Math.hypot(...rowOf(centers, c))).toBeCloseTo(1, 10);
    expect(sphericalKMeans(dirs, 9)).toEqual({ centers, labels });
    const cosines = product(dirs, centers);
    labels.forEach((label, i) => {
      expect(cosines[i * 9 + label]).toBe(Math.max(...cosines.slice(i * 9, i * 9 + 9)));
    });
  });

  it('never lowers its objective from round to round', () => {
    const dirs = unitRows(gaussian(150, 6, 8));
    let last = -Infinity;
    for (let rounds = 1; rounds <= 12; rounds++) {
      const { centers } = sphericalKMeans(dirs, 7, { maxIter: rounds });
      const cosines = product(dirs, centers);
      let objective = 0;
      for (let i = 0; i < 150; i++) objective += Math.max(...cosines.slice(i * 7, i * 7 + 7));
      expect(objective).toBeGreaterThanOrEqual(last - 1e-9);
      last = objective;
    }
  });

  it('needs one axial center for two opposite directions', () => {
    const dirs = matrixFromRows(
      [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ].map((row) => Float64Array.from(row)),
    );
    const { labels } = sphericalKMeans(dirs, 2, { axial: true });
    expect([...labels]).toEqual([0, 0, 1, 1]);
  });
});

describe('ridge map', () => {
  it('recovers a linear map and turns constant coordinates into zero', () => {
    const z = gaussian(200, 4, 9);
    const truth = gaussian(4, 11, 10);
    const x = matrix(200, 11);
    for (let i = 0; i < 200; i++) x.data.set(pushforward(rowOf(z, i), truth), i * 11);
    expectClose(ridgeMap(z, x, 1e-9).data, truth.data, 1e-6);
    expect(Math.hypot(...ridgeMap(matrix(200, 4, new Float64Array(800).fill(2)), x).data)).toBe(0);
  });
});
