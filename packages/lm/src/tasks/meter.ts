import { errorOfMean, mean } from '@palimpsest/base';
import { type Compiled, disposeTree, type Engine, ndarray, Rng, tf } from '@palimpsest/tensor-core';
import { IGNORED_TARGET } from '../data/batch.js';
import { treeBytes } from '../model-size.js';
import type { AnySequenceModel, TextReader } from '../sequence-model.js';
import type { Draw, TaskExample } from './examples.js';

/** Share of asked positions that are answered rightly, as the mean over examples. */
export interface AnswerAccuracy {
  readonly value: number;
  /** Standard error of the mean over examples. */
  readonly standardError: number;
  readonly examples: number;
}

export interface AccuracyOptions {
  readonly examples: number;
  readonly batch: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Tokens per call: longer texts go through the memory piece by piece, so that any length can be asked about. */
const PIECE = 256;

/**
 * Asks a trained model fresh examples. Texts are streamed through its state, so they may be longer than any it was trained
 * on. Compiled forms are kept for further questions.
 */
export class AnswerMeter {
  readonly #params: unknown;
  readonly #guess: Compiled<
    [unknown, tf.Tensor2D, unknown],
    { readonly ids: tf.Tensor; readonly state: unknown }
  >;
  readonly #initState: Compiled<[unknown], unknown>;
  #reader: Promise<TextReader> | undefined;
  #stateBytes = 0;

  /** @param params on the host. */
  constructor(
    private readonly engine: Engine,
    readonly model: AnySequenceModel,
    params: unknown,
    readonly batch: number,
  ) {
    this.#params = engine.put(params);
    this.#guess = engine.compile(
      (tree: unknown, tokens: tf.Tensor2D, before: unknown) => {
        const { logits, state } = model.forward(tree, tokens, before, { training: false });
        return { ids: tf.argMax(logits, 2), state };
      },
      { name: `${model.name}.guess`, donate: [2] },
    );
    this.#initState = engine.compile((tree: unknown) => model.initState(tree, batch), {
      name: `${model.name}.initState`,
    });
  }

  /** Bytes of the memory of one text, the most that it was while examples were read. */
  get stateBytes(): number {
    return this.#stateBytes;
  }

  /** Accuracy on examples of one drawing. */
  async measure(
    draw: Draw,
    { examples, seed, signal }: Omit<AccuracyOptions, 'batch'>,
  ): Promise<AnswerAccuracy> {
    const rng = Rng.fromSeed(seed);
    const shares: number[] = [];
    while (shares.length < examples) {
      signal?.throwIfAborted();
      const drawn = Array.from({ length: this.batch }, () => draw(rng));
      const guesses = await this.#read(drawn);
      drawn.forEach(({ targets }, row) => {
        let [asked, right] = [0, 0];
        targets.forEach((target, at) => {
          if (target === IGNORED_TARGET) return;
          asked += 1;
          if (guesses[row]![at] === target) right += 1;
        });
        if (asked > 0) shares.push(right / asked);
      });
    }
    return { value: mean(shares), standardError: errorOfMean(shares), examples: shares.length };
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#guess.dispose(), this.#initState.dispose()]);
    await (await this.#reader)?.dispose();
    disposeTree(this.#params);
  }

  /** The likeliest token after every input, row by row. */
  async #read(examples: readonly TaskExample[]): Promise<Int32Array[]> {
    const length = examples[0]!.inputs.length;
    const guesses = examples.map(() => new Int32Array(length));
    this.#reader ??= this.model.reader?.(this.engine, this.#params, this.batch);
    if (this.#reader) {
      const reader = await this.#reader;
      const read = await readBy(reader, examples);
      this.#holds(reader.largestStateBytes);
      return read;
    }
    let state: unknown = await this.#initState(this.#params);
    for (let from = 0; from < length; from += PIECE) {
      const count = Math.min(PIECE, length - from);
      const tokens = new Int32Array(examples.length * count);
      examples.forEach(({ inputs }, row) => {
        tokens.set(inputs.subarray(from, from + count), row * count);
      });
      const result = await this.#guess(
        this.#params,
        ndarray(tokens, [examples.length, count], 'int32'),
        state,
      );
      const ids = await result.ids.data();
      result.ids.dispose();
      ({ state } = result);
      guesses.forEach((guess, row) => {
        guess.set(ids.slice(row * count, (row + 1) * count) as Int32Array, from);
      });
    }
    this.#holds(treeBytes(state));
    disposeTree(state);
    return guesses;
  }

  #holds(bytes: number): void {
    this.#stateBytes = Math.max(this.#stateBytes, Math.ceil(bytes / this.batch));
  }
}

/** The likeliest token after every input, by a model's own reader. */
async function readBy(reader: TextReader, examples: readonly TaskExample[]): Promise<Int32Array[]> {
  const length = examples[0]!.inputs.length;
  const guesses = examples.map(() => new Int32Array(length));
  await reader.reset();
  for (let from = 0; from < length; from += PIECE) {
    const count = Math.min(PIECE, length - from);
    const tokens = Int32Array.from(
      examples.flatMap(({ inputs }) => [...inputs.subarray(from, from + count)]),
    );
    const { data, shape } = await reader.read(ndarray(tokens, [examples.length, count], 'int32'));
    const width = shape[2]!;
    guesses.forEach((guess, row) => {
      for (let i = 0; i < count; i++) {
        guess[from + i] = indexOfLargest(data, (row * count + i) * width, width);
      }
    });
  }
  return guesses;
}

function indexOfLargest(values: Float32Array, from: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[from + i]! > values[from + best]!) best = i;
  return best;
}
