import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  isOnDevice,
  ndarray,
  tf,
  toHost,
} from '@palimpsest/tensor-core';
import { treeBytes } from '../model-size.js';
import type {
  AnySequenceModel,
  Compaction,
  ForwardResult,
  SequenceModel,
  TensorTree,
} from '../sequence-model.js';
import type { Decoder, DecoderOptions } from './decoder.js';

/** Steps that take turns with the position, where the host knows which comes next and a graph would have to compute all. */
export interface StepTurns<P = unknown, S = unknown> {
  readonly steps: readonly Pick<SequenceModel<P, S>, 'step'>[];
  /** Number of the step that reads the token at a position. */
  at(position: number): number;
  /** Position of the next token, from a memory on the host. */
  positionOf(state: unknown): number;
}

/** The decoder of a model that brings none: `forward` for pieces of a text, `step` for single tokens, both compiled. */
export class StepDecoder implements Decoder {
  readonly #forms: CompiledForms;
  #state: unknown;
  /** Tokens read, for steps that take turns. */
  #position: number;

  private constructor(forms: CompiledForms, state: unknown, position = 0) {
    this.#forms = forms;
    this.#state = state;
    this.#position = position;
    forms.users += 1;
  }

  /**
   * A decoder before the first token.
   * @param turns steps that take the place of the model's own
   */
  static async create(
    engine: Engine,
    model: AnySequenceModel,
    params: unknown,
    options: DecoderOptions = {},
    turns?: StepTurns,
  ): Promise<StepDecoder> {
    const forms = new CompiledForms(engine, model, params, options, turns);
    return new StepDecoder(forms, await forms.initState());
  }

  get stateBytes(): number {
    return treeBytes(this.#state);
  }

  /** Goes on with other parameters of the same shapes, on the engine; they stay the caller's. */
  useParams(params: unknown): void {
    this.#forms.useParams(params);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const { logits, state } = await this.#forms.read(ids, this.#state, this.#position);
    this.#state = state;
    this.#position += ids.length;
    return logits;
  }

  async state(): Promise<unknown> {
    return toHost(this.#state);
  }

  async restore(state: unknown): Promise<void> {
    disposeTree(this.#state);
    this.#state = this.#forms.engine.put(state);
    this.#position = this.#forms.turns?.positionOf(state) ?? 0;
  }

  get compact(): Decoder['compact'] {
    const { compaction } = this.#forms;
    if (!compaction) return undefined;
    return {
      state: async () => compaction.reduce(await toHost(this.#state)),
      restore: async (reduced) => {
        const state = await compaction.expand(reduced);
        disposeTree(this.#state);
        this.#state = state;
        this.#position = this.#forms.turns?.positionOf(await toHost(state)) ?? 0;
      },
    };
  }

  async reset(): Promise<void> {
    disposeTree(this.#state);
    this.#state = await this.#forms.initState();
    this.#position = 0;
  }

  /** A decoder before its first token that shares what is compiled. */
  async another(): Promise<StepDecoder> {
    return new StepDecoder(this.#forms, await this.#forms.initState());
  }

  async fork(): Promise<StepDecoder> {
    const copy = this.#forms.engine.put(await toHost(this.#state));
    return new StepDecoder(this.#forms, copy, this.#position);
  }

  async dispose(): Promise<void> {
    disposeTree(this.#state);
    this.#state = undefined;
    this.#forms.users -= 1;
    if (this.#forms.users === 0) await this.#forms.dispose();
  }
}

interface Step {
  readonly logits: tf.Tensor;
  readonly state: unknown;
}

/** Fewer tokens are read one by one: every size of pieces has a graph of its own, and building it costs as much as they do. */
const FEW = 16;
const CHUNKS = [64, 8];

/** Compiled forms of one model, shared by all decoders forked from one. */
class CompiledForms {
  readonly #initState: Compiled<[unknown], unknown>;
  readonly #prefill: Compiled<[unknown, tf.Tensor2D, unknown], Step>;
  readonly #steps: readonly Compiled<[unknown, tf.Tensor1D, unknown], Step>[];
  readonly #chunks: readonly number[];
  readonly #few: number;
  /** The smaller form of the memory, on the host, and the way back from it. */
  readonly compaction:
    | { reduce(state: unknown): unknown; expand(reduced: unknown): Promise<unknown> }
    | undefined;
  #params: unknown;
  #ownsParams: boolean;
  /** Decoders that use these forms. */
  users = 0;

  constructor(
    readonly engine: Engine,
    model: AnySequenceModel,
    params: unknown,
    { freeze = true, chunks }: DecoderOptions,
    readonly turns: StepTurns | undefined,
  ) {
    this.#few = chunks === undefined ? FEW : 0;
    const { longestPiece = Infinity } = model;
    this.#chunks = (chunks ?? CHUNKS).filter((size) => size <= longestPiece).sort((a, b) => b - a);
    this.#ownsParams = !isOnDevice(params);
    this.#params = this.#ownsParams ? engine.put(params) : params;
    this.#initState = engine.compile((tree: unknown) => model.initState(tree, 1), {
      name: `${model.name}.initState`,
    });
    this.#prefill = engine.compile(
      (tree: unknown, tokens: tf.Tensor2D, state: unknown) =>
        lastLogits(model.forward(tree, tokens, state, { training: false, onlyLast: true })),
      { name: `${model.name}.forward`, donate: [2] },
    );
    this.compaction = model.compaction && this.#compaction(model.compaction);
    const steps: StepTurns['steps'] = turns?.steps ?? [model];
    this.#steps = steps.map((form) =>
      engine.compile(
        (tree: unknown, token: tf.Tensor1D, state: unknown): Step => form.step(tree, token, state),
        {
          name: `${model.name}.step`,
          donate: [2],
          freeze: freeze ? [0] : [],
        },
      ),
    );
  }

  useParams(params: unknown): void {
    if (this.#ownsParams) disposeTree(this.#params);
    this.#ownsParams = false;
    this.#params = params;
  }

  async initState(): Promise<unknown> {
    return this.#initState(this.#params);
  }

  #compaction({ reduce, expand }: Compaction<unknown, unknown>): NonNullable<CompiledForms['compaction']> {
    return {
      reduce: (state) => reduce(state),
      // Rare enough to be compiled anew every time.
      expand: async (reduced) => {
        const compiled = this.engine.compile((tree: unknown, kept: unknown) =>
          expand(tree, kept as TensorTree),
        );
        try {
          return await compiled(this.#params, reduced);
        } finally {
          await compiled.dispose();
        }
      },
    };
  }

  /** Reads at least one token. The state is consumed; the result's takes its place. */
  async read(
    ids: ArrayLike<number>,
    state: unknown,
    position: number,
  ): Promise<{ logits: Float32Array; state: unknown }> {
    const tokens = Int32Array.from(ids);
    let current = state;
    let logits: DeviceArray | undefined;
    for (let at = 0; at < tokens.length; ) {
      const rest = tokens.length - at;
      const length = rest < this.#few ? 1 : (this.#chunks.find((size) => size <= rest) ?? 1);
      const piece = tokens.subarray(at, at + length);
      const result =
        length === 1
          ? await this.#steps[this.turns?.at(position + at) ?? 0]!(
              this.#params,
              ndarray(piece, [1], 'int32'),
              current,
            )
          : await this.#prefill(this.#params, ndarray(piece, [1, length], 'int32'), current);
      logits?.dispose();
      ({ logits, state: current } = result);
      at += length;
    }
    const values = (await logits!.data()) as Float32Array;
    logits!.dispose();
    return { logits: values, state: current };
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#initState, this.#prefill, ...this.#steps].map((form) => form.dispose()));
    if (this.#ownsParams) disposeTree(this.#params);
  }
}

/** Logits of the last position, [1, vocabSize]. */
function lastLogits({ logits, state }: ForwardResult<unknown>): Step {
  const [batch, time, vocabulary] = logits.shape;
  return {
    logits: tf.reshape(tf.slice(logits, [0, time - 1, 0], [batch, 1, vocabulary]), [batch, vocabulary]),
    state,
  };
}
