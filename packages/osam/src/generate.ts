import { type Engine, InputError, type NDArray, Rng, tf } from '@palimpsest/tensor-core';
import { takeToHost } from './host.js';
import type { OsamModel } from './model.js';
import type { OsamParams } from './parameters.js';
import { drawId, greedyId, type SamplingOptions, samplingProbabilities } from './sampling.js';
import { emptyState, type OsamState } from './state.js';

export interface GenerateOptions extends SamplingOptions {
  /** Number of tokens to make; default 64. */
  readonly maxNewTokens?: number;
  /** Always the likeliest id. Default false. */
  readonly greedy?: boolean;
  /** Seed of the draws; default 0. */
  readonly seed?: number;
  /** Whether the last prompt token enters once ('exact') or twice, as in the reference. Default: the model's. */
  readonly priming?: 'exact' | 'reference';
  /** What an empty prompt stands for; default id 0. */
  readonly startId?: number;
  /** Stop after any of these sequences of ids, which are given out too. */
  readonly stop?: readonly (readonly number[])[];
  readonly signal?: AbortSignal;
  /** Memory to continue from, on the host; default: empty. */
  readonly state?: OsamState<NDArray>;
}

export interface GeneratedToken {
  readonly id: number;
  /** Logits from which the id was chosen, [vocabSize]. */
  readonly logits: Float32Array;
}

export interface PrimedPrompt {
  /** Memory after the whole prompt. */
  readonly state: OsamState<NDArray>;
  /** Logits of the prompt's last token, [vocabSize]. */
  readonly logits: Float32Array;
}

/** Continues prompts with a model whose parameters are baked into compiled functions. */
export class OsamGenerator {
  readonly #prefill;
  readonly #step;
  /** Whether skipped positions are skipped in generation too; the reference reads at every one. */
  readonly #skips: boolean;

  constructor(
    readonly engine: Engine,
    readonly model: OsamModel,
    private readonly params: OsamParams<NDArray>,
  ) {
    const { skipMode, kUpdate } = model.options;
    this.#skips = skipMode === 'hold' && kUpdate > 1;
    const reading = this.#skips ? {} : { compute: true };
    this.#prefill = engine.compile(
      (current: OsamParams, tokens: tf.Tensor2D, state: OsamState) => {
        const result = model.forward(current, tokens, state, { training: false, ...reading });
        const last = tf.slice(result.logits, [0, tokens.shape[1] - 1, 0], [-1, 1, -1]);
        return { logits: tf.reshape(last, [-1]) as tf.Tensor, state: result.state };
      },
      { name: 'osam prefill', freeze: [0] },
    );
    const step = (compute: boolean) =>
      engine.compile(
        (current: OsamParams, token: tf.Tensor1D, state: OsamState) => {
          const result = model.step(current, token, state, compute);
          return { logits: tf.reshape(result.logits, [-1]) as tf.Tensor, state: result.state };
        },
        { name: compute ? 'osam step' : 'osam step without a read', freeze: [0], donate: [2] },
      );
    this.#step = { read: step(true), skip: step(false) };
  }

  /** Reads a whole prompt. @throws InputError for an id outside the vocabulary. */
  async prime(prompt: ArrayLike<number>, from?: OsamState<NDArray>): Promise<PrimedPrompt> {
    this.#checkIds(prompt);
    const state = from ?? emptyState(this.model.options, this.model.plans, 1);
    const tokens: NDArray = { data: Int32Array.from(prompt), shape: [1, prompt.length], dtype: 'int32' };
    const result = await takeToHost(
      await this.#prefill(this.params as never, tokens as never, state as never),
    );
    return {
      state: result.state as unknown as OsamState<NDArray>,
      logits: (result.logits as unknown as NDArray).data as Float32Array,
    };
  }

  /** The tokens that follow a prompt, one by one. Stops early at a stop sequence or when the signal is aborted. */
  async *generate(prompt: ArrayLike<number>, options: GenerateOptions = {}): AsyncGenerator<GeneratedToken> {
    const { maxNewTokens = 64, seed = 0, startId = 0, stop = [], signal } = options;
    const ids = prompt.length > 0 ? Array.from(prompt) : [startId];
    const primed = await this.prime(ids, options.state);
    const rng = Rng.fromSeed(seed);
    let position = primed.state.position.data[0]!;
    let state: unknown = primed.state;
    let logits = primed.logits;
    const feed = async (id: number) => {
      const run =
        this.#skips && position % this.model.options.kUpdate !== 0 ? this.#step.skip : this.#step.read;
      const token: NDArray = { data: Int32Array.of(id), shape: [1], dtype: 'int32' };
      const result = await run(this.params as never, token as never, state as never);
      state = result.state;
      position += 1;
      logits = (await result.logits.data()) as Float32Array;
      result.logits.dispose();
    };
    try {
      if ((options.priming ?? this.model.options.priming) === 'reference') await feed(ids[ids.length - 1]!);
      const made: number[] = [];
      while (made.length < maxNewTokens && !signal?.aborted) {
        const id = this.#choose(logits, options, rng);
        made.push(id);
        yield { id, logits };
        if (stop.some((sequence) => endsWith(made, sequence))) return;
        if (made.length < maxNewTokens) await feed(id);
      }
    } finally {
      // The last memory is still on the engine unless nothing was fed.
      if (state !== primed.state) await takeToHost(state);
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(
      [this.#prefill, this.#step.read, this.#step.skip].map((compiled) => compiled.dispose()),
    );
  }

  #choose(logits: Float32Array, options: GenerateOptions, rng: Rng): number {
    if (options.greedy) return greedyId(logits);
    const topPRule = options.topPRule ?? this.model.options.topPRule;
    return drawId(samplingProbabilities(logits, { ...options, topPRule }), rng.uniform());
  }

  #checkIds(ids: ArrayLike<number>): void {
    for (let i = 0; i < ids.length; i++) {
      if (ids[i]! >= 0 && ids[i]! < this.model.vocabSize) continue;
      throw new InputError(
        `Prompt token ${i} is ${ids[i]}, but ids go from 0 to ${this.model.vocabSize - 1}.`,
      );
    }
  }
}

function endsWith(ids: readonly number[], sequence: readonly number[]): boolean {
  const offset = ids.length - sequence.length;
  return sequence.length > 0 && offset >= 0 && sequence.every((id, index) => ids[offset + index] === id);
}
