/** One tensor of a golden case. */
export interface ParityTensor {
  readonly shape: readonly number[];
  readonly dtype: 'F32' | 'I32' | string;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** A golden case: what its JSON says, and its tensors by name. */
export interface ParityCase {
  readonly name: string;
  readonly json: Record<string, unknown>;
  readonly tensors: ReadonlyMap<string, ParityTensor>;
  readonly folder: string;
}

/** One compared output. `exact` outputs must be equal; others satisfy |actual - expected| <= atol + rtol |expected|. */
export interface ParityOutput {
  readonly name: string;
  readonly actual: ArrayLike<number> | string;
  readonly expected: ArrayLike<number> | string;
  readonly atol: number;
  readonly rtol: number;
  readonly exact?: boolean;
}

export interface ParityContext {
  /** A tensor-core Engine. */
  readonly engine: unknown;
}

/** Runs the cases of one kind. */
export interface ParityHandler {
  readonly system: string;
  readonly kind: string;
  run(testCase: ParityCase, context: ParityContext): Promise<ParityOutput[]> | ParityOutput[];
}
