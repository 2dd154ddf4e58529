import type { NDArray } from '@palimpsest/tensor-core';

/** The part of tensor-core's `Rng` that models need to draw their parameters. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  split(): RandomSource;
  fork(label: string): RandomSource;
  uniformArray(shape: readonly number[], low?: number, high?: number): NDArray<'float32'>;
  normalArray(shape: readonly number[], mean?: number, std?: number): NDArray<'float32'>;
  permutation(n: number): Int32Array;
}
