import type { Engine, NDArray, Rng, ToDevice, ToHost, Tree, tf } from '@palimpsest/tensor-core';
import type { Decoder, DecoderOptions } from './generation/decoder.js';
import type { SamplingOptions } from './sampling/sampling-options.js';

/** Values that survive `JSON.stringify`. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };
export type JsonObject = { readonly [key: string]: JsonValue | undefined };

/** A nested plain object or array of tensors: parameters, memory states. */
export type TensorTree = Tree<tf.Tensor>;

/** How one call of `forward` is meant. */
export interface ForwardContext {
  /** Dropout, input corruption and other training-only parts are on. */
  readonly training: boolean;
  /** int32 [2], new for every step; `keyedUniform(dropoutKey, shape)` draws from it. Absent: no random part. */
  readonly dropoutKey?: tf.Tensor | undefined;
  /** Ask for `telemetry`. Default false. */
  readonly telemetry?: boolean;
  /** The logits of the last position are enough, [batch, 1, vocabSize]; a model may give all. Default false. */
  readonly onlyLast?: boolean;
  /**
   * int32 [count]: the logits of these positions, counted row by row, are enough. A model that computes those alone gives
   * them as `placed`; any other gives the logits of all.
   */
  readonly places?: tf.Tensor1D | undefined;
}

export interface ForwardResult<S> {
  /**
   * float32 [batch, time, vocabSize]; position t predicts token t + 1. With `onlyLast`, time may be 1; with `placed`, these
   * are the same rows as [1, count, vocabSize].
   */
  readonly logits: tf.Tensor3D;
  /** float32 [count, vocabSize]: the logits of the context's `places`, of a model that computes those alone. */
  readonly placed?: tf.Tensor2D | undefined;
  /** Memory after the last token. */
  readonly state: S;
  /** Named scalars worth watching: gate means, norms. Given when the context asks for them. */
  readonly telemetry?: Readonly<Record<string, tf.Tensor>> | undefined;
  /** Scalar that training adds to the cross-entropy (load balance, sparsity). Evaluation leaves it out. */
  readonly auxiliaryLoss?: tf.Tensor;
}

export interface StepResult<S> {
  /** float32 [batch, vocabSize]. */
  readonly logits: tf.Tensor2D;
  readonly state: S;
}

/** How the optimiser treats the parameters whose path matches, as in `blocks.0.query.weight`. */
export interface ParameterGroup {
  readonly match: RegExp;
  /** Factor on the learning rate. Default 1. */
  readonly rate?: number;
  /**
   * Whether decoupled weight decay applies where a run decays matrices only. A run that decays everything decays these too.
   * Default: the trainer's rule for the parameter.
   */
  readonly decays?: boolean;
  /** Leave these parameters as they are: no gradient, no decay. Default false. */
  readonly frozen?: boolean;
}

/** A smaller form of a memory, from which the whole is computed again. */
export interface Compaction<P = TensorTree, S = TensorTree> {
  /** What is kept of a memory: some of its leaves. */
  reduce(state: S): TensorTree;
  /** The memory that was reduced, but for rounding. Traceable; for any batch. */
  expand(params: P, reduced: TensorTree): S;
}

/** How a model is meant to be spoken with, where that differs from what everybody does. A user's own choice goes first. */
export interface SpeakingDefaults {
  /** How its next tokens are drawn. */
  readonly sampling?: SamplingOptions;
  /** How it reads prompts, as in `generate`. */
  readonly priming?: 'exact' | 'reference';
}

/** Texts of equal length being read side by side, piece by piece. */
export interface TextReader {
  /**
   * Reads more of every text.
   * @param tokens int32 `[batch, time]`
   * @returns logits `[batch, time, vocabSize]` on the host
   */
  read(tokens: NDArray): Promise<NDArray<'float32'>>;
  /** Forgets everything. */
  reset(): Promise<void>;
  /** Bytes of the memory of all texts. */
  readonly stateBytes: number;
  /** The most that these bytes were since the texts began. */
  readonly largestStateBytes: number;
  dispose(): Promise<void>;
}

/**
 * What every model of the toolkit is: pure functions of (parameters, tokens, state).
 *
 * Inside compiled functions `P` and `S` are trees of `tf.Tensor`; on the host the same trees hold `NDArray`s
 * (`ToHost<P>`), between calls `DeviceArray`s (`ToDevice<P>`). All methods but `init` must be traceable: static shapes,
 * no reading of values, no `tf.random*`.
 */
export interface SequenceModel<P = TensorTree, S = TensorTree> {
  /** Name of the architecture; checkpoints are loaded by it. */
  readonly name: string;
  /** Everything needed to build the same model again, as JSON. */
  readonly config: JsonObject;
  readonly vocabSize: number;
  readonly speaking?: SpeakingDefaults | undefined;
  /** Fresh parameters on the host. Equal seeds give equal parameters. */
  init(rng: Rng): ToHost<P>;
  /**
   * Memory before the first token. Its shapes depend on `batch` alone, and the batch is the first axis of every leaf, so
   * that one lane can be reset, saved or forked. It may use parameters (a learned start), and gradients flow into them.
   */
  initState(params: P, batch: number): S;
  /**
   * Parallel form, for training and prefill: any number of tokens >= 1, continuing from `state`.
   * @param tokens int32 [batch, time].
   */
  forward(params: P, tokens: tf.Tensor2D, state: S, context: ForwardContext): ForwardResult<S>;
  /** Most tokens that one call of `forward` takes, as where positions are learned. Default: any number. */
  readonly longestPiece?: number | undefined;
  /**
   * Constant-cost form, for decoding: equals `forward` on one token.
   * @param token int32 [batch].
   */
  step(params: P, token: tf.Tensor1D, state: S): StepResult<S>;
  /**
   * The form in which the model decodes one text fastest, when that is not `step` and `forward` compiled. Its logits equal
   * theirs but for rounding, and its memory is theirs in meaning. A model made of another by changing `forward` or `step`
   * must leave this out.
   * @param params on the host, or on the engine (they stay the caller's).
   */
  decoder?(engine: Engine, params: ToHost<P> | ToDevice<P>, options?: DecoderOptions): Promise<Decoder>;
  /** Whether `decoder` takes `bits: 8`. */
  readonly decodesBytes?: boolean;
  /**
   * How several texts are read side by side when `forward` cannot go on from a memory, because its shapes depend on what was
   * read. Evaluations and tasks then read by it.
   * @param params on the host, or on the engine (they stay the caller's)
   */
  reader?(engine: Engine, params: ToHost<P> | ToDevice<P>, batch: number): Promise<TextReader>;
  /** Where much of the memory follows from little of it. A model that changes what the memory is must leave this out. */
  readonly compaction?: Compaction<P, S>;
  /** Exceptions from the trainer's rules; the first group whose pattern matches a path decides. */
  parameterGroups?(): readonly ParameterGroup[];
}

/**
 * A model of any architecture, where the types of parameters and states are not known. Every `SequenceModel<P, S>` is
 * assignable to it.
 */
export type AnySequenceModel = SequenceModel<unknown, unknown>;
