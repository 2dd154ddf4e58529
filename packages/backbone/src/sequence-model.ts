import type { Rng, ToHost, tf } from '@palimpsest/tensor-core';

// The contract of `@palimpsest/lm`, restated: this package stands beside it and may not import it. A test asserts that
// the models made here are assignable to it.

/** Values that survive `JSON.stringify`. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };
export type JsonObject = { readonly [key: string]: JsonValue | undefined };

/** How one call of `forward` is meant. */
export interface ForwardContext {
  /** Dropout is on. */
  readonly training: boolean;
  /** int32 [2], new for every step; dropout masks are drawn from it. Absent: no dropout. */
  readonly dropoutKey?: tf.Tensor;
  /** Ask for `telemetry`. Default false. */
  readonly telemetry?: boolean;
}

export interface ForwardResult<S> {
  /** float32 [batch, time, vocabSize]; position t predicts token t + 1. */
  readonly logits: tf.Tensor3D;
  /** Memory after the last token. */
  readonly state: S;
  /** Named scalars, when the context asks for them. */
  readonly telemetry?: Readonly<Record<string, tf.Tensor>>;
}

export interface StepResult<S> {
  /** float32 [batch, vocabSize]. */
  readonly logits: tf.Tensor2D;
  readonly state: S;
}

/** How the optimiser treats the parameters whose path matches. */
export interface ParameterGroup {
  readonly match: RegExp;
  /** Factor on the learning rate. Default 1. */
  readonly rate?: number;
  /** Factor on the decoupled weight decay; 0 means none. */
  readonly weightDecay?: number;
  /** Leave these parameters as they are. Default false. */
  readonly frozen?: boolean;
}

/** Pure functions of (parameters, tokens, state); see `SequenceModel` of `@palimpsest/lm`. */
export interface SequenceModel<P, S> {
  readonly name: string;
  readonly config: JsonObject;
  readonly vocabSize: number;
  init(rng: Rng): ToHost<P>;
  initState(params: P, batch: number): S;
  forward(params: P, tokens: tf.Tensor2D, state: S, context: ForwardContext): ForwardResult<S>;
  step(params: P, token: tf.Tensor1D, state: S): StepResult<S>;
  parameterGroups?(): readonly ParameterGroup[];
}
