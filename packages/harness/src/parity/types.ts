/** A tensor of a golden case, row-major. Golden files hold F32 and I32. */
export interface ParityTensor {
  readonly shape: readonly number[];
  readonly dtype: 'F32' | 'I32' | string;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** One golden case: what its JSON says to run, and the tensors that lie beside it. */
export interface ParityCase {
  readonly name: string;
  readonly json: Record<string, unknown>;
  readonly tensors: ReadonlyMap<string, ParityTensor>;
  /** The folder of the files, for cases that name further files in it. */
  readonly folder: string;
}

/** One compared output. `exact` outputs must be equal; others satisfy |actual - expected| <= atol + rtol * |expected|. */
export interface ParityOutput {
  readonly name: string;
  readonly actual: ArrayLike<number> | string;
  readonly expected: ArrayLike<number> | string;
  readonly atol: number;
  readonly rtol: number;
  readonly exact?: boolean;
}

export interface ParityContext {
  /** A tensor-core Engine; packages that compute on the host only do not look at it. */
  readonly engine: unknown;
}

/** Recomputes cases of one kind. Packages export lists of these and need not depend on the harness. */
export interface ParityHandler {
  readonly system: string;
  readonly kind: string;
  run(testCase: ParityCase, context: ParityContext): Promise<ParityOutput[]> | ParityOutput[];
}

/** How one output compares. */
export interface OutputComparison {
  readonly name: string;
  readonly passed: boolean;
  readonly exact: boolean;
  /** Number of compared values. */
  readonly count: number;
  /** Largest |actual - expected|; infinite where only one side is NaN or infinite. */
  readonly maxAbs: number;
  /** Largest |actual - expected| / |expected| over the values that differ and whose expected value is not zero. */
  readonly maxRel: number;
  /** Largest share of the tolerance that was used: the output passes up to 1. */
  readonly toleranceUsed: number;
  readonly atol: number;
  readonly rtol: number;
  /** Index of the worst value, or -1 when all are equal. */
  readonly worstIndex: number;
  /** Why it fails, in one sentence. */
  readonly reason?: string;
}

export interface CaseResult {
  readonly name: string;
  /** Path of the JSON file, relative to the folder that was asked for. */
  readonly path: string;
  readonly system: string;
  readonly kind: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly outputs: readonly OutputComparison[];
  /** Why the case could not be compared at all. */
  readonly error?: string;
}

export interface ParityReport {
  readonly folder: string;
  readonly engine: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cases: readonly CaseResult[];
}
