import { expectFiniteRows, expectVector } from '../linalg/checks.js';
import { centred, type FloatArray, type Matrix, matrix, rowOf, timesTransposed } from '../linalg/matrix.js';
import type { CodeRows } from '../search/code-rows.js';
import type { SkeletonDtype } from '../set/skeleton.js';
import { CodeHead } from './code-head.js';
import {
  type CodeLayout,
  codedSkeletonBytes,
  expectTransformState,
  type TransformState,
} from './transform-state.js';
import type { CodedRows, CoderTensor, LinearCoder } from './vector-coder.js';

/**
 * A coder of the Kakeya geometry (DERIVATION.md, "Byte coders"): a head of center number and lengths, or of a centroid, and the residual in its
 * own principal frame. How residuals become bits is up to the coders.
 */
export abstract class ResidualCoder<State extends TransformState> implements LinearCoder {
  abstract readonly coder: string;
  protected readonly head: CodeHead;

  /** @throws KakeyaError when parts disagree in shape or the bits do not fit. */
  constructor(
    readonly state: State,
    layout: CodeLayout,
    readonly bytesPerVec: number,
    private readonly dtype: SkeletonDtype = 'f32',
  ) {
    expectTransformState(state, bytesPerVec, layout);
    this.head = new CodeHead({ ...state, layout });
  }

  get dimension(): number {
    return this.state.basis.cols;
  }

  get basis(): Matrix {
    return this.state.basis;
  }

  get mean(): FloatArray {
    return this.state.mean;
  }

  get skeletonBytes(): number {
    return codedSkeletonBytes(this.basis, this.state.centers.rows, this.dtype);
  }

  encode(v: FloatArray): Uint8Array {
    expectVector(v, this.dimension, `A vector for the ${this.coder} coder`);
    return this.encodeRows(matrix(1, this.dimension, Float64Array.from(v)))[0]!;
  }

  encodeRows(rows: Matrix): Uint8Array[] {
    expectFiniteRows(rows, `The ${this.coder} coder`);
    return this.encodeCoefficients(timesTransposed(centred(rows, this.mean), this.basis)).codes;
  }

  decode(bytes: Uint8Array): Float32Array {
    return rowOf(this.decodeRows([bytes]), 0) as Float32Array;
  }

  tensors(): Record<string, CoderTensor> {
    const { basis, mean, tDir, centers, residualMean, sigma, bits, scales } = this.state;
    const f32 = (values: FloatArray) => Float32Array.from(values);
    return {
      basis,
      mean: f32(mean),
      tDir: f32(tDir),
      centers,
      residualMean: f32(residualMean),
      sigma: f32(sigma),
      bits,
      scales: f32(scales),
    };
  }

  abstract encodeCoefficients(coefficients: Matrix): CodedRows;
  abstract decodeRows(codes: readonly Uint8Array[]): Matrix<Float32Array>;
  abstract scorer(query: FloatArray): (bytes: Uint8Array) => number;
  abstract rows(): CodeRows;
}
