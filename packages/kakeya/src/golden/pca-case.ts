import {
  type GoldenCase,
  type GoldenHandler,
  type GoldenOutputs,
  MaskedValues,
} from '@palimpsest/base/golden';
import { type Matrix, matrix } from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { matrixOf } from './inputs.js';

/** Rows [n, d] of data that cases name without storing them; any other name is one row of one number. */
const DEGENERATE: Readonly<Record<string, readonly [number, number]>> = {
  constantRows: [10, 6],
  oneRow: [1, 6],
  rankOne: [8, 6],
};
/** Leading basis rows that are not rounding noise, by the name of the data; default all. */
const SETTLED_ROWS: Readonly<Record<string, number>> = { full: 6 };
const VARIANCE_RATIO = 0.99;

/** PCA of given data, and the ranks of degenerate shapes. */
export const pcaCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'pca',
  given: ['expected/*/varianceRatio', 'expected/*/note'],
  run: (testCase) => {
    const datasets = testCase.member('expected', {} as Record<string, { readonly varianceRatio?: number }>);
    const stored = testCase.names('in/').map((name) => name.split('/')[1]!);
    const names = new Set([...stored, ...Object.keys(DEGENERATE), ...Object.keys(datasets)]);
    const outputs = [...names].map((name) =>
      pcaOutputs(testCase, name, datasets[name]?.varianceRatio ?? VARIANCE_RATIO),
    );
    return Object.assign({}, ...outputs) as GoldenOutputs;
  },
};

function pcaOutputs(testCase: GoldenCase, name: string, varianceRatio: number): GoldenOutputs {
  const x = testCase.has(`in/${name}/vecs`) ? matrixOf(testCase, `in/${name}/vecs`) : degenerateRows(name);
  const pca = computePca(x, varianceRatio);
  const basis = () => {
    const settled = (SETTLED_ROWS[name] ?? pca.basis.rows) * x.cols;
    const [rows = 0, cols = 0] = testCase.shape(`out/${name}/basis`);
    const values = pca.basis.data.slice(0, rows * cols);
    // Rows beyond those found, and those that rounding alone decides, are left open.
    const all = Float64Array.from({ length: rows * cols }, (_, i) => values[i] ?? Number.NaN);
    return new MaskedValues(
      all,
      all.map((_, i) => Number(i < settled)),
    );
  };
  return {
    [`expected/${name}/dEff`]: () => pca.dEff,
    [`out/${name}/mean`]: () => pca.mean,
    [`out/${name}/singularValues`]: () => pca.singularValues,
    [`out/${name}/basis`]: basis,
  };
}

function degenerateRows(name: string): Matrix {
  const [rows, cols] = DEGENERATE[name] ?? [1, 1];
  const along = (row: number) => (name === 'rankOne' ? row - rows / 3 : 1);
  const values = Float64Array.from(
    { length: rows * cols },
    (_, i) => along(Math.floor(i / cols)) * (0.5 + (i % cols)),
  );
  return matrix(rows, cols, values);
}
