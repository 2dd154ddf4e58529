import {
  type Compiled,
  type DeviceArray,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  type ToDevice,
  type ToHost,
  tf,
} from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig } from './config.js';
import { forwardExactly } from './forward.js';
import { disposeTree, isOnEngine } from './host.js';
import type { RsmParams } from './parameters.js';
import type { RsmModel } from './sequence-model.js';
import type { RsmState } from './state.js';
import { type StepMaps, step, stepMaps } from './step.js';

export interface CausalDecoderOptions {
  readonly engine: Engine;
  readonly model: RsmModel;
  /** On the host or on the engine; they are the caller's. */
  readonly params: ToHost<RsmParams> | ToDevice<RsmParams>;
  /** Texts decoded side by side. Default 1 */
  readonly batch?: number;
}

type Step = Compiled<
  [RsmParams, readonly StepMaps[], tf.Tensor1D, RsmState],
  { logits: tf.Tensor2D; state: RsmState }
>;
type Prefill = Compiled<[RsmParams, tf.Tensor2D, RsmState], { logits: tf.Tensor; state: RsmState }>;

/**
 * Cached decoding of the causal wirings at a cost per token that does not depend on the length of the text: parameters are
 * frozen into the graph, reads and pooling are multiplied out once, and the memory is written once per chunk.
 */
export class CausalDecoder {
  readonly #params: ToDevice<RsmParams>;
  readonly #prefill: Prefill;
  readonly #step: Step;
  readonly #init: Compiled<[RsmParams], RsmState>;
  #maps: ToDevice<readonly StepMaps[]>;
  #state: ToDevice<RsmState>;

  private constructor(
    readonly model: RsmModel,
    readonly batch: number,
    private readonly owned: boolean,
    compiled: {
      params: ToDevice<RsmParams>;
      prefill: Prefill;
      step: Step;
      init: Compiled<[RsmParams], RsmState>;
    },
    maps: ToDevice<readonly StepMaps[]>,
    state: ToDevice<RsmState>,
  ) {
    this.#params = compiled.params;
    this.#prefill = compiled.prefill;
    this.#step = compiled.step;
    this.#init = compiled.init;
    this.#maps = maps;
    this.#state = state;
  }

  /** @throws InputError for a wiring that leaks, which cannot be cached. */
  static async create({ engine, model, params, batch = 1 }: CausalDecoderOptions): Promise<CausalDecoder> {
    const config: RsmConfig = model.options;
    if (!isCausal(config)) {
      throw new InputError(
        `The preset '${config.preset}' cannot be decoded from caches, because every token changes what earlier ones read; use its own generator.`,
      );
    }
    const owned = !isOnEngine(params);
    const device = (owned ? engine.put(params) : params) as ToDevice<RsmParams>;
    const prepare = engine.compile((weights: RsmParams) => stepMaps(config, weights), { name: 'rsm maps' });
    const init = engine.compile((weights: RsmParams) => model.initState(weights, batch), {
      name: 'rsm state',
    });
    const prefill = engine.compile(
      (weights: RsmParams, tokens: tf.Tensor2D, state: RsmState) => {
        const result = forwardExactly(config, weights, tokens, state);
        const time = tokens.shape[1];
        const last = tf.slice(result.logits, [0, time - 1, 0], [batch, 1, config.vocabSize]);
        return { logits: tf.reshape(last, [batch, config.vocabSize]), state: result.state };
      },
      { name: 'rsm prefill', donate: [2] },
    );
    const decode = engine.compile(
      (weights: RsmParams, maps: readonly StepMaps[], token: tf.Tensor1D, state: RsmState) =>
        step(config, weights, token, state, maps),
      { name: 'rsm step', freeze: [0, 1], donate: [3] },
    );
    const maps = await prepare(device as never);
    await prepare.dispose();
    const state = await init(device as never);
    return new CausalDecoder(
      model,
      batch,
      owned,
      { params: device, prefill, step: decode, init },
      maps,
      state,
    );
  }

  /** The state after the tokens so far; it stays the decoder's. */
  get state(): ToDevice<RsmState> {
    return this.#state;
  }

  /**
   * Reads a prompt, whole chunks at a time.
   * @param tokens int32 [batch, time] @returns the logits after its last token, [batch, vocabSize].
   */
  async prefill(tokens: NDArray): Promise<Float32Array> {
    const { logits, state } = await this.#prefill(this.#params as never, tokens, this.#state as never);
    this.#state = state;
    return take(logits);
  }

  /** Reads one token of every text. @returns the logits after it, [batch, vocabSize]. */
  async next(tokens: ArrayLike<number>): Promise<Float32Array> {
    const token = ndarray(Int32Array.from(tokens), [this.batch], 'int32');
    const result = await this.#step(this.#params as never, this.#maps as never, token, this.#state as never);
    this.#state = result.state;
    return take(result.logits as unknown as DeviceArray);
  }

  /** Forgets everything that was read. */
  async reset(): Promise<void> {
    disposeTree(this.#state);
    this.#state = await this.#init(this.#params as never);
  }

  /** Gives back what the decoder holds on the engine. */
  async dispose(): Promise<void> {
    disposeTree(this.#state);
    disposeTree(this.#maps);
    if (this.owned) disposeTree(this.#params);
    await Promise.all([this.#prefill.dispose(), this.#step.dispose(), this.#init.dispose()]);
  }
}

async function take(array: DeviceArray): Promise<Float32Array> {
  const values = (await array.data()) as Float32Array;
  array.dispose();
  return values;
}
