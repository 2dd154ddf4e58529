import { type Compiled, type DeviceArray, type Engine, ndarray, tf } from '@palimpsest/tensor-core';
import { disposeTree, onDevice } from '../device-trees.js';
import type { AnySequenceModel, ForwardResult } from '../sequence-model.js';

export interface RunnerOptions {
  /**
   * Bake the parameters into the graph of the step, which lets the engine pack them ahead of time. Right when they no
   * longer change. Default true.
   */
  readonly freeze?: boolean;
  /** Numbers of tokens that are read by one call of `forward`, largest first; the rest goes step by step. Default [64, 8]. */
  readonly chunks?: readonly number[];
}

/** What reading tokens gives: the logits after the last of them, and the memory. */
export interface ReadResult {
  /** [vocabSize]. */
  readonly logits: Float32Array;
  readonly state: unknown;
}

type Run = Compiled<readonly unknown[], { readonly logits: tf.Tensor; readonly state: unknown }>;

/** Compiled forms of one model for reading and decoding one text at a time, shared by all sessions over it. */
export class ModelRunner {
  readonly #initState: Compiled<readonly unknown[], unknown>;
  readonly #prefill: Run;
  readonly #step: Run;
  #params: unknown;
  #ownsParams: boolean;
  readonly #chunks: readonly number[];
  #users = 0;

  constructor(
    readonly engine: Engine,
    readonly model: AnySequenceModel,
    params: unknown,
    options: RunnerOptions = {},
  ) {
    const { freeze = true, chunks = [64, 8] } = options;
    this.#chunks = [...chunks].sort((a, b) => b - a);
    this.#ownsParams = !onDevice(params);
    this.#params = this.#ownsParams ? engine.put(params) : params;
    this.#initState = engine.compile((parameters: unknown) => model.initState(parameters, 1), {
      name: `${model.name}.initState`,
    }) as never;
    this.#prefill = engine.compile(
      (parameters: unknown, tokens: tf.Tensor2D, state: unknown) =>
        lastLogits(model.forward(parameters, tokens, state, { training: false })),
      { name: `${model.name}.forward`, donate: [2] },
    ) as never;
    this.#step = engine.compile(
      (parameters: unknown, token: tf.Tensor1D, state: unknown) => model.step(parameters, token, state),
      { name: `${model.name}.step`, donate: [2], freeze: freeze ? [0] : [] },
    ) as never;
  }

  /** Goes on with other parameters of the same shapes, on the engine; they stay the caller's. */
  useParams(params: unknown): void {
    if (this.#ownsParams) disposeTree(this.#params);
    this.#ownsParams = false;
    this.#params = params;
  }

  /** The memory before the first token. */
  async initState(): Promise<unknown> {
    return this.#initState(this.#params);
  }

  /** Reads at least one token. The state is consumed; the result's takes its place. */
  async read(ids: ArrayLike<number>, state: unknown): Promise<ReadResult> {
    const tokens = Int32Array.from(ids);
    let current = state;
    let logits: DeviceArray | undefined;
    for (let at = 0; at < tokens.length; ) {
      const length = this.#chunks.find((size) => size <= tokens.length - at) ?? 1;
      const piece = tokens.subarray(at, at + length);
      const result = (await (length === 1
        ? this.#step(this.#params, ndarray(piece, [1], 'int32'), current)
        : this.#prefill(this.#params, ndarray(piece, [1, length], 'int32'), current))) as {
        logits: DeviceArray;
        state: unknown;
      };
      logits?.dispose();
      ({ logits, state: current } = result);
      at += length;
    }
    const values = (await logits!.data()) as Float32Array;
    logits!.dispose();
    return { logits: values, state: current };
  }

  /** Counts one more user; the last `release` gives the memory back. */
  retain(): this {
    this.#users += 1;
    return this;
  }

  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    await Promise.all([this.#initState.dispose(), this.#prefill.dispose(), this.#step.dispose()]);
    if (this.#ownsParams) disposeTree(this.#params);
  }
}

/** Logits of the last position, [1, vocabSize]. */
function lastLogits({ logits, state }: ForwardResult<unknown>) {
  const [batch, time, vocabulary] = logits.shape;
  return {
    logits: tf.reshape(tf.slice(logits, [0, time - 1, 0], [batch, 1, vocabulary]), [batch, vocabulary]),
    state,
  };
}
