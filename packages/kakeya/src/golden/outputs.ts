import type { GoldenOutputs } from '@palimpsest/base/golden';
import { type Matrix, rowOf } from '../linalg/matrix.js';
import { relativeError } from '../set/field-scaling.js';
import type { SparseCode } from '../set/record.js';
import type { Skeleton } from '../set/skeleton.js';

/** Relative error of every row. */
export function rowErrors(rows: Matrix, decoded: Matrix): number[] {
  return Array.from({ length: rows.rows }, (_, i) => relativeError(rowOf(rows, i), rowOf(decoded, i)));
}

/** The reference's median: of an even number of values the lower of the two in the middle. */
export function lowerMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

/** The five parts of sparse codes, under `out/` with a form such as `@built`. */
export function codeOutputs(codes: readonly SparseCode[], form = ''): GoldenOutputs {
  return {
    [`out/segId${form}`]: () => codes.map(({ segId }) => segId),
    [`out/alpha${form}`]: () => codes.map(({ alpha }) => alpha),
    [`out/t${form}`]: () => codes.map(({ t }) => t),
    [`out/residualIdx${form}`]: () => codes.flatMap(({ residualIdx }) => [...residualIdx]),
    [`out/residualVals${form}`]: () => codes.flatMap(({ residualVals }) => [...residualVals]),
  };
}

/** The four arrays of a skeleton, under a prefix. */
export function skeletonOutputs({ basis, mean, tDir, centers }: Skeleton, prefix: string): GoldenOutputs {
  return {
    [`${prefix}basis`]: () => basis.data,
    [`${prefix}mean`]: () => mean,
    [`${prefix}tDir`]: () => tDir,
    [`${prefix}centers`]: () => centers.data,
  };
}
