import type { AnySequenceModel } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  takeToHost,
  tf,
} from '@palimpsest/tensor-core';

/** A model's state on the host, with its memory as the leaf `memory`: float32 [batch, …, slots, width]. */
export type HostState = { readonly memory: NDArray } & Readonly<Record<string, unknown>>;

/** Changes a memory between two chunks: holds it, empties it, swaps it. */
export type Intervention = (state: HostState, initial: HostState) => HostState;

interface ReadChunk {
  /** float32 [batch, vocabSize], after the last token. */
  readonly logits: Float32Array;
  readonly state: HostState;
}

type Run = Compiled<[unknown, tf.Tensor2D, unknown], { readonly logits: tf.Tensor; readonly state: unknown }>;

/**
 * Reads texts chunk by chunk and keeps the state on the host in between, where it can be looked at and changed. Slower
 * than a session; meant for measuring what a memory does.
 */
export class MemoryStream {
  readonly #params: unknown;
  readonly #run: Run;
  readonly #initState = new Map<number, HostState>();

  /** @param params on the host. */
  constructor(
    private readonly engine: Engine,
    private readonly model: AnySequenceModel,
    params: unknown,
  ) {
    this.#params = engine.put(params);
    this.#run = engine.compile(
      (tree: unknown, tokens: tf.Tensor2D, before: unknown) => {
        const { logits, state } = model.forward(tree, tokens, before, { training: false });
        const [batch, time, classes] = logits.shape;
        const last = tf.slice(logits, [0, time - 1, 0], [batch, 1, classes]);
        return { logits: tf.reshape(last, [batch, classes]), state };
      },
      { name: `${model.name}.read` },
    );
  }

  /** The state before the first token. @throws InputError for a model whose state has no leaf `memory`. */
  async initState(batch: number): Promise<HostState> {
    const known = this.#initState.get(batch);
    if (known) return known;
    const compiled = this.engine.compile((tree: unknown) => this.model.initState(tree, batch), {
      name: `${this.model.name}.initState`,
    });
    const state = (await takeToHost(await compiled(this.#params))) as HostState;
    await compiled.dispose();
    if (!state.memory) {
      throw new InputError(
        `The state of '${this.model.name}' has no leaf 'memory', so there is no memory to measure.`,
      );
    }
    this.#initState.set(batch, state);
    return state;
  }

  /** Reads the same stretch of every text. */
  async read(texts: readonly Int32Array[], from: number, to: number, state: HostState): Promise<ReadChunk> {
    const rows = Int32Array.from(texts.flatMap((text) => [...text.subarray(from, to)]));
    const result = await this.#run(this.#params, ndarray(rows, [texts.length, to - from], 'int32'), state);
    const logits = (await (result.logits as DeviceArray).data()) as Float32Array;
    result.logits.dispose();
    return { logits, state: (await takeToHost(result.state)) as HostState };
  }

  /**
   * Reads whole texts from the first token on. @returns what follows their last token.
   * @param texts of equal length.
   * @param intervene applied after every chunk but the last.
   */
  async readTexts(
    texts: readonly Int32Array[],
    chunk: number,
    intervene: Intervention,
  ): Promise<Float32Array> {
    const length = texts[0]!.length;
    const initial = await this.initState(texts.length);
    let read = { logits: new Float32Array(), state: initial } as ReadChunk;
    for (let from = 0; from < length; from += chunk) {
      const state = from === 0 ? initial : intervene(read.state, initial);
      read = await this.read(texts, from, Math.min(length, from + chunk), state);
    }
    return read.logits;
  }

  async dispose(): Promise<void> {
    await this.#run.dispose();
    disposeTree(this.#params);
  }
}
