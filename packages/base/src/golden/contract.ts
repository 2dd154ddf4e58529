import type { GoldenCase } from './case.js';
import type { MaskedValues } from './masked-values.js';
import type { ToleranceStatements } from './tolerances.js';

/** A tensor of a golden case, row-major. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  /** F32 and I32 in the files there are; other types of the safetensors format are read too. */
  readonly dtype: string;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** A value in the JSON of a case. */
export type GoldenJson =
  | string
  | number
  | boolean
  | null
  | undefined
  | ArrayLike<number>
  | readonly GoldenJson[]
  | { readonly [key: string]: GoldenJson };

/**
 * What a handler computed under a name. Numbers stand for the tensor of that name, whose count they must have; any JSON for
 * a member of the case's JSON; masked values are compared where the mask is not 0.
 */
export type GoldenValue = GoldenJson | MaskedValues;

/**
 * Computed outputs by the names of what the case expects: `out/logits`, `grad/head.weight`, `state/memory_2` (`weights/…` where
 * a case computes them), or the path of
 * a member of the JSON, as in `expected/rows/3/ratio` or `expected`. `name@form` is compared with `name`, so that several
 * ways to compute an output can stand side by side. A function is an offer: it runs when the case expects the name,
 * and its JSON does not say `null` there.
 */
export type GoldenOutputs = Readonly<
  Record<string, GoldenValue | (() => GoldenValue | Promise<GoldenValue>)>
>;

export interface GoldenContext {
  /** A tensor-core Engine; packages that compute on the host only do not look at it. */
  readonly engine: unknown;
}

/**
 * Recomputes the cases of one kind. It never sees what a case expects, nor its tolerances: the runner compares by name.
 */
export interface GoldenHandler {
  readonly system: string;
  readonly kind: string;
  /**
   * Members of the JSON, besides `expected`, that hold results: paths with `*` for any key, as in `cases/N/ids` with `*` for N. They are
   * hidden from `run`, which must compute them.
   */
  readonly expects?: readonly string[];
  /**
   * Members below `expected`, and tensors below `out/`, that say what to run, with `*` as above: they stay visible, and need not be
   * computed.
   */
  readonly given?: readonly string[];
  run(testCase: GoldenCase, context: GoldenContext): Promise<GoldenOutputs> | GoldenOutputs;
}

/** What single cases say in words only, as data. The runner joins it with their JSON; no handler declares a tolerance. */
export interface GoldenStatement {
  readonly system: string;
  /** Names of the cases. */
  readonly cases: readonly string[];
  /** Join those of the JSON under the same rules. */
  readonly tolerances?: ToleranceStatements;
  /** Members of the JSON that are settings, where it has none of the name. */
  readonly settings?: Readonly<Record<string, GoldenJson>>;
  /** Where the words are, or what they say. */
  readonly why: string;
}

/** What a package brings to recompute its golden cases. */
export type GoldenPart = GoldenHandler | GoldenStatement;
