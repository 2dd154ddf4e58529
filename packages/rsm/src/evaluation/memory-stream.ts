import type { AnySequenceModel } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  tf,
  treeLeaves,
  treeMap,
} from '@palimpsest/tensor-core';

/** A model's state on the host, with its memory as the leaf `memory`: float32 [batch, …, slots, width]. */
export type HostState = { readonly memory: NDArray } & Readonly<Record<string, unknown>>;

/** Changes a memory between two chunks: holds it, empties it, swaps it. */
export type Intervention = (state: HostState, initial: HostState) => HostState;

export interface ReadChunk {
  /** float32 [batch, vocabSize], after the last token. */
  readonly logits: Float32Array;
  /** Loss of every token but the first of the call, nats, [batch, time - 1]; the targets are the tokens themselves. */
  readonly losses: Float32Array;
  readonly state: HostState;
}

type Run = Compiled<
  readonly unknown[],
  { readonly logits: tf.Tensor; readonly losses: tf.Tensor; readonly state: unknown }
>;

/**
 * Reads texts chunk by chunk and keeps the state on the host in between, where it can be looked at and changed. Slower
 * than a session; meant for measuring what a memory does.
 */
export class MemoryStream {
  readonly #engine: Engine;
  readonly #params: unknown;
  readonly #run: Run;
  readonly #initState = new Map<number, HostState>();
  readonly #model: AnySequenceModel;

  /** @param params on the host. */
  constructor(engine: Engine, model: AnySequenceModel, params: unknown) {
    this.#engine = engine;
    this.#model = model;
    this.#params = engine.put(params);
    this.#run = engine.compile(
      (tree: unknown, tokens: tf.Tensor2D, state: unknown) => readChunk(model, tree, tokens, state),
      { name: `${model.name}.read` },
    ) as never;
  }

  /** The state before the first token. */
  async initState(batch: number): Promise<HostState> {
    const known = this.#initState.get(batch);
    if (known) return known;
    const compiled = this.#engine.compile((tree: unknown) => this.#model.initState(tree, batch), {
      name: `${this.#model.name}.initState`,
    }) as Compiled<readonly unknown[], unknown>;
    const state = await toHost(await compiled(this.#params));
    await compiled.dispose();
    this.#initState.set(batch, state);
    return state;
  }

  /**
   * Reads one chunk.
   * @param tokens int32 [batch * time], row by row.
   */
  async read(tokens: Int32Array, state: HostState): Promise<ReadChunk> {
    const [batch] = state.memory.shape as [number];
    const result = (await this.#run(
      this.#params,
      ndarray(tokens, [batch, tokens.length / batch], 'int32'),
      state,
    )) as { logits: DeviceArray; losses: DeviceArray; state: unknown };
    const [logits, losses] = (await Promise.all([
      result.logits.data(),
      result.losses.data(),
    ])) as Float32Array[];
    result.logits.dispose();
    result.losses.dispose();
    return { logits: logits!, losses: losses!, state: await toHost(result.state) };
  }

  /**
   * Reads whole texts from the first token on and gives what follows their last one.
   * @param texts of equal length.
   * @param intervene applied after every chunk but the last.
   */
  async readTexts(texts: readonly Int32Array[], chunk: number, intervene?: Intervention): Promise<ReadChunk> {
    const length = texts[0]?.length ?? 0;
    const initial = await this.initState(texts.length);
    let state = initial;
    let last: ReadChunk | undefined;
    for (let from = 0; from < length; from += chunk) {
      if (last && intervene) state = intervene(state, initial);
      last = await this.read(rowsOf(texts, from, Math.min(length, from + chunk)), state);
      state = last.state;
    }
    if (!last) throw new InputError('A text of at least one token can be read, but this one is empty.');
    return last;
  }

  async dispose(): Promise<void> {
    await this.#run.dispose();
    for (const { leaf } of treeLeaves<DeviceArray>(this.#params)) leaf.dispose();
  }
}

/** The same stretch of every text, row by row. */
export function rowsOf(texts: readonly Int32Array[], from: number, to: number): Int32Array {
  const rows = new Int32Array(texts.length * (to - from));
  texts.forEach((text, row) => {
    rows.set(text.subarray(from, to), row * (to - from));
  });
  return rows;
}

function readChunk(model: AnySequenceModel, params: unknown, tokens: tf.Tensor2D, before: unknown) {
  const { logits, state } = model.forward(params, tokens, before, { training: false });
  const [batch, time, classes] = logits.shape;
  const last = tf.reshape(tf.slice(logits, [0, time - 1, 0], [batch, 1, classes]), [batch, classes]);
  const logProbabilities = tf.logSoftmax(logits);
  const targets = tf.oneHot(tf.slice(tokens, [0, 1], [batch, time - 1]), classes);
  const losses = tf.neg(
    tf.sum(tf.mul(tf.slice(logProbabilities, [0, 0, 0], [batch, time - 1, classes]), targets), -1),
  );
  return { logits: last, losses, state };
}

/** Copies a state to the host and releases it on the engine. */
async function toHost(state: unknown): Promise<HostState> {
  const leaves = treeLeaves<DeviceArray>(state);
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of leaves) {
    host.set(path, await leaf.toHost());
    leaf.dispose();
  }
  const copied = treeMap<DeviceArray, NDArray>(state, (_leaf, path) => host.get(path)!) as HostState;
  if (!copied.memory)
    throw new InputError("The state has no leaf 'memory', so there is no memory to measure.");
  return copied;
}
