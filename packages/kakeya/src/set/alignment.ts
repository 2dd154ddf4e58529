import { expect } from '../errors.js';
import { type FloatArray, type Matrix, norm, timesVector, vectorTimes } from '../linalg/matrix.js';

/** Lengths below this count as zero (DERIVATION.md, "Alignment"). */
const ZERO_LENGTH = 1e-8;

/** axis [b] times M [b, D]: the axis seen in field space, [D], not normalised. Throws on unequal b. */
export function pushforward(axis: FloatArray, map: Matrix): Float64Array {
  expect(axis.length === map.rows, () => {
    return `pushforward: the axis has ${axis.length} numbers but the map has ${map.rows} rows; they must agree.`;
  });
  return vectorTimes(axis, map);
}

/** basis [r, D] times direction [D]: its PCA coefficients, [r]. Throws on unequal D. */
export function projectIntoPca(direction: FloatArray, basis: Matrix): Float64Array {
  expect(direction.length === basis.cols, () => {
    return `projectIntoPca: the direction has ${direction.length} numbers but the basis ${basis.cols} columns; they must agree.`;
  });
  return timesVector(basis, direction);
}

/** | tDir - target / max(|target|, 1e-8) |, between 0 and 2 for a unit tDir. Throws on unequal lengths. */
export function alignmentError(tDir: FloatArray, target: FloatArray): number {
  expect(tDir.length === target.length, () => {
    return `alignmentError: the direction has ${tDir.length} numbers, the target ${target.length}; they must agree.`;
  });
  const length = Math.max(norm(target), ZERO_LENGTH);
  return norm(Float64Array.from(tDir, (t, i) => t - target[i]! / length));
}

/**
 * The unit direction along the target, with error 0; for a target shorter than 1e-8 the first unit vector, with
 * error 1. The tolerance is accepted and unused, as in the reference. Throws on an empty target.
 */
export function solveAlignedTDir(
  target: FloatArray,
  _tolerance?: number,
): { tDir: Float64Array; error: number } {
  expect(target.length > 0, () => 'solveAlignedTDir: the target is empty; it needs at least one number.');
  const length = norm(target);
  if (length < ZERO_LENGTH) {
    const tDir = new Float64Array(target.length);
    tDir[0] = 1;
    return { tDir, error: 1 };
  }
  return { tDir: Float64Array.from(target, (x) => x / length), error: 0 };
}

/** Share of a field-space direction that the basis can see: |B a| / |a|; 0 for a zero direction. */
export function axisFidelity(axisInField: FloatArray, basis: Matrix): number {
  const length = norm(axisInField);
  return length < ZERO_LENGTH ? 0 : norm(projectIntoPca(axisInField, basis)) / length;
}
