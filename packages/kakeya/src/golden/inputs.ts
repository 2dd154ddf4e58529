import { InputError } from '@palimpsest/base';
import type { GoldenCase } from '@palimpsest/base/golden';
import { expect } from '../errors.js';
import { type Matrix, matrix } from '../linalg/matrix.js';
import { type Skeleton, skeletonFrom } from '../set/skeleton.js';

/** An input of a case as a matrix in float64. */
export function matrixOf(testCase: GoldenCase, name: string): Matrix<Float64Array> {
  const shape = testCase.shape(name);
  expect(shape.length === 2, () => `Case ${testCase.name}: array ${name} is not a matrix.`);
  return matrix(shape[0]!, shape[1]!, testCase.numbers(name));
}

/** The first rows of a matrix. */
export function firstRows(m: Matrix, count: number): Matrix {
  return matrix(count, m.cols, m.data.slice(0, count * m.cols));
}

/** A number of a case's configuration. @throws InputError when it is missing and there is no default. */
export function numberOf(testCase: GoldenCase, key: string, otherwise?: number): number {
  const value = testCase.config[key] ?? otherwise;
  if (typeof value !== 'number') throw new InputError(`Case ${testCase.name} lacks the option ${key}.`);
  return value;
}

/** A skeleton from arrays under a prefix; its residual keeps `dRes` entries. */
export function storedSkeleton(testCase: GoldenCase, prefix: string, dRes: number): Skeleton {
  return skeletonFrom({
    basis: matrixOf(testCase, `${prefix}basis`),
    mean: testCase.numbers(`${prefix}mean`),
    tDir: testCase.numbers(`${prefix}tDir`),
    centers: matrixOf(testCase, `${prefix}centers`),
    dRes,
  });
}
