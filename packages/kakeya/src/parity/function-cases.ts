import { type AccountingRow, accounting } from '../accounting.js';
import { alignmentError, axisFidelity, projectIntoPca, pushforward, solveAlignedTDir } from '../alignment.js';
import { IncrementalPca } from '../incremental-pca.js';
import {
  centred,
  dot,
  type FloatArray,
  type Matrix,
  matrix,
  timesTransposed,
  timesVector,
  transposed,
} from '../matrix.js';
import { computePca } from '../pca.js';
import { ridgeMap } from '../ridge-map.js';
import { sphericalKMeans } from '../spherical-kmeans.js';
import type { CaseReader } from './case-reader.js';

/** The four alignment functions, also of the zero target. */
export function runAlignment(reader: CaseReader): void {
  const { expected } = reader;
  const axisInField = pushforward(reader.vector('in/axis'), reader.matrix('in/baseToField'));
  const projected = projectIntoPca(axisInField, reader.matrix('in/basis'));
  const solved = solveAlignedTDir(projected);
  const zero = new Float64Array(projected.length);
  const degenerate = solveAlignedTDir(zero);
  reader.compare('out/pushforward', axisInField);
  reader.compare('out/projected', projected);
  reader.compare('out/tDir', solved.tDir);
  reader.compare('out/degenerateTDir', degenerate.tDir);
  reader.compare('out/errorOfOther', [alignmentError(reader.vector('in/otherUnit'), projected)]);
  reader.compare('out/errorOfTDir', [alignmentError(solved.tDir, projected)]);
  reader.compare('out/errorVsZeroTarget', [alignmentError(degenerate.tDir, zero)]);
  reader.compareTo('solveError', [solved.error], [expected.solveError as number], 'exact');
  reader.compareTo(
    'degenerateSolveError',
    [degenerate.error],
    [expected.degenerateSolveError as number],
    'exact',
  );
}

/** Byte formulas, JSON only. */
export function runAccounting(reader: CaseReader): void {
  const rows = (reader.expected.rows ?? []) as AccountingRow[];
  rows.forEach((row, i) => {
    const actual = accounting(row);
    const bytes = (from: AccountingRow) => [
      from.originalBytes,
      from.skeletonBytes,
      from.entryBytesReference,
      from.compressedBytes,
      from.breakEvenN ?? -1,
    ];
    reader.compareTo(`row ${i}, bytes`, bytes(actual), bytes(row), 'exact');
    reader.compareTo('ratio', [actual.ratio], [row.ratio]);
  });
}

/** PCA of given data, and the ranks of three degenerate shapes. */
export function runPca(reader: CaseReader): void {
  for (const [name, value] of Object.entries(reader.expected)) {
    const { dEff, varianceRatio = 0.99 } = value as { dEff: number; varianceRatio?: number };
    const x = reader.has(`in/${name}/vecs`) ? reader.matrix(`in/${name}/vecs`) : degenerateRows(reader, name);
    const pca = computePca(x, varianceRatio);
    // At ratio 1 the rounding of the cumulated share decides between the rank and one more.
    if (varianceRatio < 1) reader.compareTo(`${name}/dEff`, [pca.dEff], [dEff], 'exact');
    if (!reader.has(`out/${name}/basis`)) continue;
    reader.compare(`out/${name}/mean`, pca.mean);
    reader.compare(`out/${name}/singularValues`, pca.singularValues);
    const expected = reader.matrix(`out/${name}/basis`);
    if (varianceRatio < 1) reader.compare(`out/${name}/basis`, pca.basis.data);
    else compareSubspace(reader, name, pca.basis, expected);
  }
}

/** Sizes of data that the case describes in words only, as in "constantRows = 10x6". */
function degenerateRows(reader: CaseReader, name: string): Matrix {
  const size = new RegExp(`${name} = (\\d+)\\s*x\\s*(\\d+)`).exec(reader.run);
  const [rows, cols] = [Number(size?.[1] ?? 1), Number(size?.[2] ?? 1)];
  const along = (row: number) => (name === 'rankOne' ? row - rows / 3 : 1);
  return matrix(
    rows,
    cols,
    Float64Array.from({ length: rows * cols }, (_, i) => {
      return along(Math.floor(i / cols)) * (0.5 + (i % cols));
    }),
  );
}

function compareSubspace(reader: CaseReader, name: string, basis: Matrix, expected: Matrix): void {
  const stated = Number(/first (\d+) rows/.exec(reader.run)?.[1] ?? expected.rows);
  const count = Math.min(stated, basis.rows, expected.rows);
  const projector = (b: Matrix) => {
    const columns = transposed(matrix(count, b.cols, b.data.slice(0, count * b.cols)));
    return timesTransposed(columns, columns).data;
  };
  const tolerance = reader.tolerance(`out/${name}/basis`);
  reader.compareTo(`${name}/subspace`, projector(basis), projector(expected), tolerance);
}

/** Spherical k-means in the variants that the case's outputs name. */
export function runKMeans(reader: CaseReader): void {
  const generic = reader.matrix('in/generic/dirs');
  const k = reader.number('K');
  const maxIter = reader.number('maxIter', 100);
  const variants = new Set(
    reader
      .names()
      .filter((n) => n.startsWith('out/'))
      .map((n) => n.split('/')[1]!),
  );
  for (const name of variants) {
    const { dirs, count, rounds } = kMeansVariant(reader, name, { dirs: generic, count: k, rounds: maxIter });
    const { centers, labels } = sphericalKMeans(dirs, count, { maxIter: rounds });
    reader.compare(`out/${name}/centers`, centers.data);
    reader.compare(`out/${name}/assignments`, labels);
  }
}

interface KMeansRun {
  readonly dirs: Matrix;
  readonly count: number;
  readonly rounds: number;
}

function kMeansVariant(reader: CaseReader, name: string, generic: KMeansRun): KMeansRun {
  const duplicates = /^duplicates(\d+)$/.exec(name);
  if (duplicates !== null) {
    const count = Number(/duplicatesN:[^;]*?K=(\d+)/.exec(reader.run)?.[1] ?? generic.count);
    return { dirs: reader.matrix('in/duplicates/dirs'), count, rounds: Number(duplicates[1]) };
  }
  if (name === 'oneIteration') return { ...generic, rounds: 1 };
  if (name === 'kOne') return { ...generic, count: 1 };
  if (name === 'fewerThanK') {
    const rows = reader.tensor('out/fewerThanK/assignments').shape[0]!;
    const dirs = matrix(rows, generic.dirs.cols, generic.dirs.data.slice(0, rows * generic.dirs.cols));
    const count = Number(/fewerThanK:[^;]*?K=(\d+)/.exec(reader.run)?.[1] ?? rows + 1);
    return { ...generic, dirs, count };
  }
  return reader.has(`in/${name}/dirs`) ? { ...generic, dirs: reader.matrix(`in/${name}/dirs`) } : generic;
}

/** Incremental PCA after every batch; ridge map, fidelity and correlation. */
export function runIncrementalPcaRidge(reader: CaseReader): void {
  const vecs = reader.matrix('in/vecs');
  const pca = new IncrementalPca();
  let at = 0;
  for (const size of (reader.config.batches ?? []) as number[]) {
    pca.update(matrix(size, vecs.cols, vecs.data.slice(at * vecs.cols, (at + size) * vecs.cols)));
    at += size;
    const prefix = `out/after${at}/`;
    reader.compare(`${prefix}mean`, pca.mean);
    reader.compare(`${prefix}singularValues`, pca.singularValues);
    for (const name of reader.names().filter((n) => n.startsWith(`${prefix}basis`))) {
      reader.compare(name, pca.basis.data.slice(0, reader.tensor(name).data.length));
    }
  }
  const [z, x, axis] = [
    reader.matrix('in/baseCoords'),
    reader.matrix('in/fieldVecs'),
    reader.vector('in/axis'),
  ];
  const map = ridgeMap(z, x, reader.number('ridgeRelative', 1e-3));
  const axisInField = pushforward(axis, map);
  reader.compare('out/ridgeMap', map.data);
  reader.compare('out/axisInField', axisInField);
  const { basis, mean } = computePca(x, 1);
  const kept = reader.number('dEffForFidelity');
  const leading = matrix(kept, x.cols, basis.data.slice(0, kept * x.cols));
  const name = reader.names().find((n) => /^out\/fidelity\d+$/.test(n)) ?? 'out/fidelity';
  reader.compare(name, [axisFidelity(axisInField, leading)]);
  const { tDir } = solveAlignedTDir(projectIntoPca(axisInField, leading));
  const alphas = timesVector(timesTransposed(centred(x, mean), leading), tDir);
  reader.compare('out/alphaCorrelation', [correlation(alphas, timesVector(z, axis))]);
}

function correlation(a: FloatArray, b: FloatArray): number {
  const [x, y] = [minusMean(a), minusMean(b)];
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

function minusMean(v: FloatArray): Float64Array {
  let sum = 0;
  for (const value of v) sum += value;
  return Float64Array.from(v, (value) => value - sum / v.length);
}
