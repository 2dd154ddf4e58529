import { expect } from '../errors.js';
import { expectInteger } from '../linalg/checks.js';
import type { FloatArray, Matrix } from '../linalg/matrix.js';
import type { SkeletonDtype } from '../set/skeleton.js';

/** Everything a transform coder decodes with; r components, all in the rotated frame. */
export interface TransformState {
  /** [r, D]. */
  readonly basis: Matrix;
  readonly mean: FloatArray;
  readonly tDir: FloatArray;
  /** [K, r]. */
  readonly centers: Matrix;
  readonly residualMean: FloatArray;
  /** Standard deviation of every residual component. */
  readonly sigma: FloatArray;
  /** Bits of every residual component, 0 ... 8. */
  readonly bits: Int32Array;
  /** Steps of the 8-bit codes of alpha and tau. */
  readonly scales: FloatArray;
}

/** The whole numbers of one code, before packing. */
export interface TransformCode {
  readonly segId: number;
  readonly qAlpha: number;
  readonly qT: number;
  /** Level of every component, 0 where it has no bits. */
  readonly levels: Int32Array;
}

export interface TransformOptions {
  readonly bytesPerVec: number;
  /** Centers; default 64. */
  readonly k?: number;
  readonly skeletonDtype?: SkeletonDtype;
}

const CODE_LIMIT = 127;

/** round-half-up of x / step, clamped to signed 8 bits. */
export function quantise(x: number, step: number): number {
  return Math.min(Math.max(Math.floor(x / step + 0.5), -CODE_LIMIT), CODE_LIMIT);
}

/** Bits that name one of K centers. */
export function segmentBits(k: number): number {
  return Math.ceil(Math.log2(k));
}

/**
 * What a code holds before the residual. "lengths": center number, alpha and tau in 8 bits each, as in the transform
 * coder. "centroids": only the center number; centers have the mean length of their rows, and the 16 bits go to
 * the residual.
 */
export type CodeLayout = 'lengths' | 'centroids';

/** Bits of a code that do not belong to the residual. */
export function layoutBits(layout: CodeLayout, k: number): number {
  return segmentBits(k) + (layout === 'lengths' ? 16 : 0);
}

/** Refuses parts whose shapes disagree or whose bits do not fit. */
export function expectTransformState(state: TransformState, bytesPerVec: number, layout: CodeLayout): void {
  expectInteger(bytesPerVec, 1, 'bytesPerVec of the coder');
  const r = state.basis.rows;
  const lengths = [state.tDir, state.residualMean, state.sigma, state.bits].map((part) => part.length);
  expect(lengths.every((length) => length === r) && state.centers.cols === r, () => {
    return `Transform coder parts disagree: the basis has ${r} rows, the other parts ${lengths.join(', ')} and ${state.centers.cols} columns.`;
  });
  expect(state.mean.length === state.basis.cols && state.scales.length === 2, () => {
    return `Transform coder parts disagree: mean ${state.mean.length}, basis width ${state.basis.cols}, scales ${state.scales.length}.`;
  });
  state.bits.forEach((width) => {
    expectInteger(width, 0, 'The bits of a component', 8);
  });
  const used = layoutBits(layout, state.centers.rows) + state.bits.reduce((sum, b) => sum + b, 0);
  expect(used <= 8 * bytesPerVec, () => `The code needs ${used} bits but ${bytesPerVec} bytes were given.`);
}

/** Bytes of the parts: sigma and the two steps stay float32, bit counts take a byte, the rest follows the dtype. */
export function codedSkeletonBytes(basis: Matrix, k: number, dtype: SkeletonDtype): number {
  const floats = basis.rows * basis.cols + basis.cols + basis.rows * (2 + k);
  return floats * (dtype === 'f16' ? 2 : 4) + 5 * basis.rows + 8;
}
