/** A tensor of a golden case. */
export interface ParityTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** A golden case: its JSON and the tensors beside it. */
export interface ParityCase {
  readonly name: string;
  readonly json: Record<string, unknown>;
  readonly tensors: ReadonlyMap<string, ParityTensor>;
  readonly folder: string;
}

/** One compared output: equal if `exact`, else |actual − expected| ≤ atol + rtol |expected|. */
export interface ParityOutput {
  readonly name: string;
  readonly actual: ArrayLike<number> | string;
  readonly expected: ArrayLike<number> | string;
  readonly atol: number;
  readonly rtol: number;
  readonly exact?: boolean;
}

/** Computes the outputs of golden cases of one kind. */
export interface ParityHandler {
  readonly system: string;
  readonly kind: string;
  run(testCase: ParityCase): ParityOutput[];
}
