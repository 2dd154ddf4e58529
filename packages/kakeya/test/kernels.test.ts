import { EigenvalueDecomposition, Matrix as MlMatrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { LevelTable } from '../src/coders/level-table.js';
import { Trellis, type TrellisStates } from '../src/coders/trellis.js';
import { FEWEST_KERNEL_STATES, pathSpace, plainPathSpace } from '../src/coders/trellis-paths.js';
import {
  gram,
  gramOfColumns,
  type Matrix,
  matrix,
  plainProduct,
  timesTransposed,
} from '../src/linalg/matrix.js';
import { columnsOf, matrixKernels, rowsOf } from '../src/linalg/matrix-kernel.js';
import { Random } from '../src/linalg/random.js';
import { plainRowOperations, rowOperations } from '../src/linalg/row-operations.js';
import { symmetricEigen } from '../src/linalg/symmetric-eigen.js';

const random = new Random(3);
const draw = (rows: number, cols: number): Matrix => matrix(rows, cols, random.normals(rows * cols));

describe('matrix products', () => {
  it.each([
    [5, 1000, 31],
    [129, 7, 300],
    [131, 65, 515],
    [400, 1, 257],
  ])('%i x %i over %i: the kernel sums as plain loops do, bit for bit', (m, n, k) => {
    const [a, b] = [draw(m, k), draw(n, k)];
    expect(timesTransposed(a, b).data).toEqual(plainProduct(rowsOf(a), rowsOf(b)));
  });

  it('products of a matrix with itself are symmetric and equal the plain ones', () => {
    const x = draw(300, 141);
    expect(gram(x).data).toEqual(plainProduct(rowsOf(x), rowsOf(x)));
    expect(gramOfColumns(x).data).toEqual(plainProduct(columnsOf(x), columnsOf(x)));
  });

  it('float32 rows are taken as they are', () => {
    const x = matrix(200, 40, Float32Array.from(random.normals(8000)));
    expect(gramOfColumns(x).data).toEqual(plainProduct(columnsOf(x), columnsOf(x)));
  });
});

/** Largest deviation of V A Vᵀ from the values and of V Vᵀ from the identity, relative to the largest value. */
function deviation(a: Matrix, make: typeof rowOperations): { values: Float64Array; off: number } {
  const n = a.rows;
  const { values, vectors } = symmetricEigen(a, make);
  const turned = timesTransposed(timesTransposed(vectors, a), vectors);
  const unit = timesTransposed(vectors, vectors);
  const size = Math.max(Math.abs(values[0]!), Math.abs(values[n - 1]!), 1e-300);
  let off = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const target = i === j ? values[i]! : 0;
      off = Math.max(off, Math.abs(turned.data[i * n + j]! - target) / size);
      off = Math.max(off, Math.abs(unit.data[i * n + j]! - (i === j ? 1 : 0)));
    }
  }
  return { values, off };
}

describe('eigenvalues of symmetric matrices', () => {
  const symmetric = (n: number) => {
    const x = draw(n, n);
    return matrix(
      n,
      n,
      x.data.map((value, index) => value + x.data[(index % n) * n + Math.floor(index / n)]!),
    );
  };
  const cases: Record<string, Matrix> = {
    'one by one': matrix(1, 1, Float64Array.of(-3)),
    'two by two': symmetric(2),
    'odd size': symmetric(37),
    larger: symmetric(150),
    'of rank 3': gramOfColumns(draw(3, 40)),
    'of rank 70 among 256': gramOfColumns(timesTransposed(draw(300, 70), draw(256, 70))),
    'with equal values': matrix(
      6,
      6,
      Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 2 : 0)),
    ),
    zero: matrix(5, 5),
    diagonal: matrix(
      7,
      7,
      Float64Array.from({ length: 49 }, (_, i) => (i % 8 === 0 ? 4 - i / 8 : 0)),
    ),
    tiny: matrix(
      20,
      20,
      symmetric(20).data.map((x) => x * 1e-120),
    ),
    'far apart': gramOfColumns(
      matrix(
        60,
        30,
        draw(60, 30).data.map((x, i) => x * 10 ** -(i % 30)),
      ),
    ),
  };
  it.each(Object.entries(cases))('%s: vectors are orthonormal and make the matrix diagonal', (_name, a) => {
    for (const make of [rowOperations, plainRowOperations]) {
      const { values, off } = deviation(a, make);
      expect(off).toBeLessThan(1e-13 * Math.max(10, a.rows));
      expect([...values]).toEqual([...values].sort((x, y) => y - x));
      const peer = new EigenvalueDecomposition(MlMatrix.from1DArray(a.rows, a.rows, [...a.data]), {
        assumeSymmetric: true,
      }).realEigenvalues.sort((x, y) => y - x);
      const size = Math.max(Math.abs(peer[0]!), Math.abs(peer.at(-1)!), 1e-300);
      peer.forEach((value, i) => {
        expect(Math.abs(value - values[i]!) / size).toBeLessThan(1e-12);
      });
    }
  });
});

describe('paths through a trellis', () => {
  it.each([4, 8, 16, 32, 64, 128, 256] as TrellisStates[])(
    'with %i states: the kernel finds what plain loops find',
    (states) => {
      for (const components of [1, 2, 7, 40]) {
        const codes = Uint8Array.from({ length: states / 2 }, () => random.integer(4));
        const plain = plainPathSpace(components, codes);
        const ours = states < FEWEST_KERNEL_STATES ? plain : pathSpace(matrixKernels()!, components, codes);
        plain.errors.set(random.normals(4 * components).map(Math.abs));
        ours.errors.set(plain.errors);
        const [actual, expected] = [ours.run(), plain.run()];
        expect([...actual.costs]).toEqual([...expected.costs]);
        expect([...actual.from]).toEqual([...expected.from]);
        const levels = new LevelTable(Float64Array.of(-2, -1.2, -0.7, -0.2, 0.2, 0.7, 1.2, 2));
        const x = Float64Array.from(random.normals(components));
        const tables = new Array<LevelTable>(components).fill(levels);
        const weights = new Float64Array(components).fill(1);
        expect(new Trellis(states).encode(x, weights, tables)).toEqual(
          new Trellis(states, null).encode(x, weights, tables),
        );
      }
    },
  );

  it('the nearest level of every subset is the nearest of them all', () => {
    const levels = Float64Array.from(random.normals(16)).sort();
    const table = new LevelTable(levels);
    const [chosen, errors] = [new Int32Array(4), new Float64Array(4)];
    for (const x of [...random.normals(400), ...levels, -50, 50]) {
      table.nearest(x, chosen, 0, errors);
      for (let subset = 0; subset < 4; subset++) {
        const own = [...levels].filter((_, j) => j % 4 === subset);
        const best = Math.min(...own.map((level) => Math.abs(x - level)));
        expect(chosen[subset]! % 4).toBe(subset);
        expect(errors[subset]).toBe((x - levels[chosen[subset]!]!) ** 2);
        expect(Math.sqrt(errors[subset]!)).toBeCloseTo(best, 12);
      }
    }
  });
});
