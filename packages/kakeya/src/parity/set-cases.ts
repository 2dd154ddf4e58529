import { presets } from '../config.js';
import { relativeError } from '../field-scaling.js';
import { KakeyaSet } from '../kakeya-set.js';
import { type Matrix, matrix, rowOf } from '../matrix.js';

import type { SparseCode } from '../record.js';
import { refitCode } from '../refit.js';
import { SingleSetCodec } from '../single-set-codec.js';
import type { Skeleton } from '../skeleton.js';
import { coefficientsOf, decodeSparseRows, encodeSparseRows } from '../sparse-codec.js';
import type { CaseReader } from './case-reader.js';

const PARITY = { encoder: 'parity', assignment: 'signed' } as const;

function stacked(a: Matrix, b: Matrix): Matrix {
  return matrix(a.rows + b.rows, a.cols, Float64Array.from([...a.data, ...b.data]));
}

/** Relative error of every row. */
export function rowErrors(rows: Matrix, decoded: Matrix): number[] {
  return Array.from({ length: rows.rows }, (_, i) => relativeError(rowOf(rows, i), rowOf(decoded, i)));
}

function compareCodes(
  reader: CaseReader,
  codes: readonly SparseCode[],
  label: string,
  variant?: string,
): void {
  const compare = (part: string, actual: readonly number[]) =>
    reader.compare(`out/${part}`, actual, {
      as: `${label}/${part}`,
      ...(variant === undefined ? {} : { variant }),
    });
  compare(
    'segId',
    codes.map(({ segId }) => segId),
  );
  compare(
    'alpha',
    codes.map(({ alpha }) => alpha),
  );
  compare(
    't',
    codes.map(({ t }) => t),
  );
  compare(
    'residualIdx',
    codes.flatMap(({ residualIdx }) => [...residualIdx]),
  );
  compare(
    'residualVals',
    codes.flatMap(({ residualVals }) => [...residualVals]),
  );
}

function compareSkeleton(reader: CaseReader, skeleton: Skeleton, prefix: string): void {
  reader.compare(`${prefix}basis`, skeleton.basis.data);
  reader.compare(`${prefix}mean`, skeleton.mean);
  reader.compare(`${prefix}tDir`, skeleton.tDir);
  reader.compare(`${prefix}centers`, skeleton.centers.data);
}

/** The reference's median: of an even number of values the lower of the two in the middle. */
function lowerMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

/** Build, encode and decode one set; then encode and decode once more from the stored skeleton. */
export function runSet(reader: CaseReader): void {
  const vecs = reader.matrix('in/vecs');
  const axis = reader.vector('in/axisInField');
  const set = new KakeyaSet(0, 'ctx', ['field'], { ...presets.reference, ...reader.config });
  set.build(vecs, axis);
  const skeleton = set.skeleton!;
  compareSkeleton(reader, skeleton, 'state/');
  const { expected } = reader;
  const shape = [skeleton.dEff, skeleton.K, skeleton.dRes];
  reader.compareTo('dEff, K, dRes', shape, [expected.dEff, expected.K, expected.dRes] as number[], 'exact');
  const error = { atol: 1e-5, rtol: 0 };
  reader.compareTo('alignmentError', [set.verifyAlignment(axis)], [expected.alignmentError as number], error);
  const all = stacked(vecs, reader.matrix('in/heldOut'));
  const built = encodeSparseRows(all, skeleton, PARITY);
  compareCodes(reader, built, 'built');
  const decoded = decodeSparseRows(built, skeleton);
  reader.compare('out/decoded', decoded.data, { as: 'built/decoded' });
  const errors = rowErrors(all, decoded);
  const loose = reader.tolerance('out/decoded');
  reader.compareTo('built/relErr', errors, reader.vector('out/relErr'), loose);
  reader.compareTo(
    'medianTrain, maxTrain, medianHeldOut',
    [
      lowerMedian(errors.slice(0, vecs.rows)),
      Math.max(...errors.slice(0, vecs.rows)),
      lowerMedian(errors.slice(vecs.rows)),
    ],
    [expected.medianRelErrTrain, expected.maxRelErrTrain, expected.medianRelErrHeldOut] as number[],
    loose,
  );
  const stored = reader.skeleton('state/', skeleton.dRes);
  const codes = encodeSparseRows(all, stored, PARITY);
  compareCodes(reader, codes, 'stored', 'fromStoredSkeleton');
  reader.compare('out/decoded', decodeSparseRows(codes, stored).data, { as: 'stored/decoded' });
}

/** The older codec with its stored skeleton: records, decoded rows and statistics. */
export function runCodecV312(reader: CaseReader): void {
  const vecs = reader.matrix('in/vecs');
  const { config } = reader;
  const codec = new SingleSetCodec({
    dLLM: reader.number('dLLM', vecs.cols),
    ...(typeof config.K === 'number' ? { K: config.K } : {}),
    ...(typeof config.dRes === 'number' ? { dRes: config.dRes } : {}),
    ...(typeof config.varianceRatio === 'number' ? { varianceRatio: config.varianceRatio } : {}),
    ...(typeof config.minEntries === 'number' ? { minEntries: config.minEntries } : {}),
  });
  codec.useSkeleton(reader.skeleton('state/', reader.number('dRes', 5)));
  const stats = (reader.expected.stats ?? {}) as Record<string, number>;
  const stored = stats.sem_entries ?? vecs.rows;
  const codes: SparseCode[] = [];
  const decoded: number[] = [];
  let measured = codec.getStats();
  for (let i = 0; i < vecs.rows; i++) {
    if (i === stored) measured = codec.getStats();
    codes.push(codec.encodeEntry(i, rowOf(vecs, i)));
    decoded.push(...codec.decode(i)!);
  }
  if (stored >= vecs.rows) measured = codec.getStats();
  compareCodes(reader, codes, 'stored');
  reader.compare('out/decoded', decoded);
  for (const [name, value] of Object.entries(stats)) {
    const actual = measured[name as keyof typeof measured];
    const exact = Number.isInteger(value) ? 'exact' : { atol: 0, rtol: 1e-12 };
    reader.compareTo(`stats/${name}`, [actual], [value], exact);
  }
}

/** The refit encoder on the stored skeleton; residual entries are compared as sets, in index order. */
export function runRefit(reader: CaseReader): void {
  const vecs = reader.matrix('in/vecs');
  const dRes = reader.tensor('out/residualIdx').shape[1]!;
  const skeleton = reader.skeleton('state/', dRes);
  const coefficients = coefficientsOf(vecs, skeleton);
  const parity = encodeSparseRows(vecs, skeleton, PARITY);
  const options = { candidates: reader.number('candidates', 8), rounds: reader.number('rounds', 3) };
  const refit = parity.map((code, i) => refitCode(rowOf(coefficients, i), skeleton, code, options));
  reader.compare(
    'out/segId',
    refit.map(({ segId }) => segId),
  );
  reader.compare(
    'out/alpha',
    refit.map(({ alpha }) => alpha),
  );
  reader.compare(
    'out/t',
    refit.map(({ t }) => t),
  );
  const mine = refit.map(({ residualIdx, residualVals }) => byIndex([...residualIdx], [...residualVals]));
  const [indices, values] = [reader.integers('out/residualIdx'), reader.vector('out/residualVals')];
  const theirs = refit.map((_, i) =>
    byIndex([...indices.subarray(i * dRes, (i + 1) * dRes)], [...values.subarray(i * dRes, (i + 1) * dRes)]),
  );
  const flat = (lists: typeof mine, part: 0 | 1) => lists.flatMap((list) => list.map((pair) => pair[part]));
  reader.compareTo('out/residualIdx', flat(mine, 0), flat(theirs, 0), 'exact');
  reader.compareTo('out/residualVals', flat(mine, 1), flat(theirs, 1));
  const decoded = decodeSparseRows(refit, skeleton);
  reader.compare('out/decoded', decoded.data);
  const errors = {
    parity: rowErrors(vecs, decodeSparseRows(parity, skeleton)),
    refit: rowErrors(vecs, decoded),
  };
  reader.compare('out/relErrParity', errors.parity);
  reader.compare('out/relErrRefit', errors.refit);
  const worse = errors.refit.filter((error, i) => error > errors.parity[i]! + 1e-7).length;
  reader.compareTo('rows worse than parity', [worse], [0], 'exact');
  const { medianParity, medianRefit } = reader.expected as Record<string, number>;
  const tolerance = reader.tolerance('out/relErrRefit');
  reader.compareTo('medianParity', [lowerMedian(errors.parity)], [medianParity!], tolerance);
  reader.compareTo('medianRefit', [lowerMedian(errors.refit)], [medianRefit!], tolerance);
}

function byIndex(indices: number[], values: number[]): [number, number][] {
  return indices.map((index, i): [number, number] => [index, values[i]!]).sort((a, b) => a[0] - b[0]);
}
