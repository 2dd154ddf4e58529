import {
  cachedRows,
  cachedRowWidth,
  createTransformer,
  GreedyDecoder,
  type GreedyOptions,
  stateFromRows,
  type Transformer,
  type TransformerParameters,
  type TransformerState,
} from '@palimpsest/backbone';
import type { StreamingDecoder } from '@palimpsest/lm';
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
import { normalisedRows } from '../encoders/content-centroid.js';

/** Text to ids and back, as `PretrainedTokenizer` of the backbone does. */
export interface TextTokenizer {
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): ArrayLike<number>;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  streamingDecoder(): StreamingDecoder;
}

/** A frozen language model as `loadPretrained` of the backbone gives it. */
export interface FrozenModel {
  readonly model: Transformer;
  readonly params: TransformerParameters<NDArray>;
  readonly tokenizer?: TextTokenizer | undefined;
  readonly endIds: readonly number[];
}

/** Texts are padded to lengths of which there are few, because each length is a graph of its own. */
const LENGTH_STEP = 8;

/** Slots of a cache grow in steps, because each number is a graph of its own. */
const SLOT_STEP = 128;

/** What a pass over texts leaves. */
export interface ReadTexts {
  /** Means of the hidden states of a layer over the tokens that count, `[texts, width]`. */
  readonly pooled: NDArray;
  /** Keys and values of each text's tokens, `[tokens, cachedRowWidth]`, keys at position 0; none where they were not asked for. */
  readonly rows: readonly NDArray<'float32'>[];
}

/** A mean over the tokens of a text that is asked for. */
export interface StatePart {
  /** 0 for the embeddings, `layers` for the last states. */
  readonly layer: number;
  /** How much each token of a text counts. */
  readonly weights: (ids: readonly number[]) => readonly number[];
}

/** Lengths to which texts are padded where many are read, and tokens that are read at once: one graph per length. */
const LENGTHS = [16, 24, 32, 48, 64, 96, 128, 192, 256];
const TOKENS_AT_ONCE = 1024;

type Means = Compiled<[TransformerParameters, tf.Tensor, tf.Tensor, ...tf.Tensor[]], readonly tf.Tensor[]>;

export interface ContinueOptions extends Omit<GreedyOptions, 'states'> {
  /** Cached keys and values that stand before each prompt, `[tokens, cachedRowWidth]` each; see `cachedRows`. */
  readonly before?: readonly (NDArray | undefined)[];
}

type Reader = Compiled<
  [TransformerParameters, tf.Tensor, tf.Tensor, tf.Tensor],
  { pooled: tf.Tensor; state?: TransformerState }
>;

/** A frozen language model on an engine: pooled states of texts, and continuations behind a prefix. */
export class TextModel {
  readonly model: Transformer;
  readonly endIds: readonly number[];
  /** The parameters on the engine. */
  readonly weights: TransformerParameters<DeviceArray>;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #pool: Compiled<[TransformerParameters, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor>;
  readonly #decoders = new Map<number, { model: Transformer; decoder: GreedyDecoder }>();
  readonly #readers = new Map<string, { model: Transformer; run: Reader }>();
  readonly #embeddings: NDArray;
  #unitEmbeddings: NDArray<'float32'> | undefined;

  constructor(
    readonly engine: Engine,
    frozen: FrozenModel,
  ) {
    this.model = frozen.model;
    this.endIds = frozen.endIds;
    this.weights = engine.put(frozen.params);
    this.#embeddings = frozen.params.tokenEmbedding;
    this.#tokenizer = frozen.tokenizer;
    this.#pool = engine.compile(
      (weights: TransformerParameters, tokens: tf.Tensor, mask: tf.Tensor, counted: tf.Tensor) => {
        const state = this.model.initState(weights, tokens.shape[0]!);
        const { hidden } = this.model.run(weights, { tokens, mask }, state, { logits: 'none', hidden: true });
        return maskedMean(hidden!.at(-1)!, counted);
      },
      { name: 'pooled states', freeze: [0] },
    );
  }

  /** Width of the hidden states and of the token embeddings. */
  get width(): number {
    return this.model.options.modelWidth;
  }

  /** Rows of the input embeddings at unit length, `[vocabSize, width]`. */
  get unitEmbeddings(): NDArray<'float32'> {
    this.#unitEmbeddings ??= normalisedRows(this.#embeddings);
    return this.#unitEmbeddings;
  }

  /** The input embedding of a token, `[width]`. */
  embeddingOf(id: number): Float32Array {
    return Float32Array.from(this.#embeddings.data.slice(id * this.width, (id + 1) * this.width));
  }

  /** Mean length of a token embedding. */
  get embeddingNorm(): number {
    const { data, shape } = this.#embeddings;
    const [count, width] = shape as [number, number];
    let sum = 0;
    for (let row = 0; row < count; row++) sum += Math.hypot(...data.subarray(row * width, (row + 1) * width));
    return sum / count;
  }

  /**
   * Ids of a text with the special tokens that the model's tokenizer adds by itself.
   * @throws InputError when the model has no tokenizer, or the text has no token.
   */
  encode(text: string, addSpecialTokens = true): number[] {
    const ids = Array.from(this.tokenizer.encode(text, { addSpecialTokens }));
    if (ids.length === 0) throw new InputError('A text needs at least one token, but this one has none.');
    return ids;
  }

  decode(ids: ArrayLike<number>): string {
    return this.tokenizer.decode(ids, { skipSpecialTokens: true });
  }

  get tokenizer(): TextTokenizer {
    if (this.#tokenizer) return this.#tokenizer;
    throw new InputError('This language model has no tokenizer; put its tokenizer.json beside its weights.');
  }

  /**
   * Pooled states of texts: the mean of the last hidden states over their tokens.
   * @param texts ids, at least one each
   * @param firstToken whether the first token of a text with several counts
   * @returns `[texts, width]`
   */
  async pool(texts: readonly ArrayLike<number>[], firstToken: boolean): Promise<NDArray> {
    const { tokens, mask, time } = this.padded(texts);
    const counted = countedTokens(texts, mask, time, firstToken ? 0 : 1);
    const shape = [texts.length, time];
    const pooled = await this.#pool(
      this.weights,
      ndarray(tokens, shape, 'int32'),
      ndarray(mask, shape, 'int32'),
      ndarray(Float32Array.from(counted), shape),
    );
    return takeToHost<DeviceArray>(pooled);
  }

  /** Ids with padding at the right, and 1 where there is a token; both `[texts, time]`. */
  padded(texts: readonly ArrayLike<number>[]): { tokens: Int32Array; mask: Int32Array; time: number } {
    const { positions, context, vocabSize } = this.model.options;
    const longest = Math.max(...texts.map((text) => text.length));
    const rounded = LENGTH_STEP * Math.ceil(longest / LENGTH_STEP);
    const time = positions === 'learned' ? Math.max(longest, Math.min(rounded, context)) : rounded;
    const tokens = new Int32Array(texts.length * time);
    const mask = new Int32Array(texts.length * time);
    texts.forEach((text, row) => {
      Array.from(text).forEach((id, t) => {
        if (!(id >= 0 && id < vocabSize)) {
          throw new InputError(`The id ${id} is no token; ids of this model are 0 to ${vocabSize - 1}.`);
        }
        tokens[row * time + t] = id;
        mask[row * time + t] = 1;
      });
    });
    return { tokens, mask, time };
  }

  /**
   * One pass over texts: pooled states of a layer, and the keys and values of all tokens.
   * @param layer 0 for the embeddings, `layers` for the last states
   * @param uncounted first tokens that do not count in the pooled state of a text with more
   * @param withRows whether keys and values are wanted; without them layers beyond the pooled one are not computed
   */
  async read(
    texts: readonly ArrayLike<number>[],
    layer: number,
    uncounted: number,
    withRows: boolean,
  ): Promise<ReadTexts> {
    const { tokens, mask, time } = this.padded(texts);
    const counted = countedTokens(texts, mask, time, uncounted);
    const { model, run } = this.#reader(time, layer, withRows);
    const shape = [texts.length, time];
    const { pooled, state } = await takeToHost(
      await run(
        this.weights,
        ndarray(tokens, shape, 'int32'),
        ndarray(mask, shape, 'int32'),
        ndarray(Float32Array.from(counted), shape),
      ),
    );
    const rows = state
      ? texts.map((text, row) =>
          cachedRows(model.options, state as TransformerState<NDArray>, row, [...Array(text.length).keys()]),
        )
      : [];
    return { pooled, rows };
  }

  /**
   * Weighted means of the states of several layers over the tokens of many texts, by passes over texts of like lengths.
   * @param texts ids, one at least each
   * @returns for each part `[texts, width]`
   * @throws InputError for a text that is too long.
   */
  async means(texts: readonly (readonly number[])[], parts: readonly StatePart[]): Promise<NDArray[]> {
    const made = parts.map(() => new Float32Array(texts.length * this.width));
    const longest = Math.max(0, ...texts.map(({ length }) => length));
    const most = LENGTHS.at(-1)!;
    if (longest > most) throw new InputError(`A text has ${longest} tokens, but at most ${most} are read.`);
    const run: Means = this.engine.compile(
      (weights: TransformerParameters, tokens: tf.Tensor, mask: tf.Tensor, ...counted: tf.Tensor[]) => {
        const model = createTransformer({ ...this.model.options, capacity: tokens.shape[1]!, sinks: 0 });
        const start = model.initState(weights, tokens.shape[0]!);
        const { hidden } = model.run(weights, { tokens, mask }, start, { logits: 'none', hidden: true });
        return parts.map(({ layer }, i) => maskedMean(hidden![layer]!, counted[i]!));
      },
      { name: 'means of states', freeze: [0] },
    );
    let shorter = 0;
    for (const time of LENGTHS) {
      const own = texts.flatMap(({ length }, place) => (length > shorter && length <= time ? [place] : []));
      const count = Math.ceil(TOKENS_AT_ONCE / time);
      for (let at = 0; at < own.length; at += count) {
        const places = own.slice(at, at + count);
        const found = await this.#meansOf(run, places, { texts, parts, time, count });
        found.forEach(({ data }, part) => {
          places.forEach((place, row) => {
            made[part]!.set(data.slice(row * this.width, (row + 1) * this.width), place * this.width);
          });
        });
      }
      shorter = time;
    }
    await run.dispose();
    return made.map((data) => ndarray(data, [texts.length, this.width]));
  }

  async #meansOf(
    run: Means,
    places: readonly number[],
    {
      texts,
      parts,
      time,
      count,
    }: {
      texts: readonly (readonly number[])[];
      parts: readonly StatePart[];
      time: number;
      count: number;
    },
  ): Promise<readonly NDArray[]> {
    const [tokens, mask] = [new Int32Array(count * time), new Int32Array(count * time)];
    const counted = parts.map(() => new Float32Array(count * time));
    for (let row = 0; row < count; row++) {
      // A row without a text has one token, so that it has states.
      const ids = texts[places[row] ?? -1] ?? [0];
      tokens.set(ids, row * time);
      mask.fill(1, row * time, row * time + ids.length);
      parts.forEach(({ weights }, part) => {
        counted[part]!.set(weights(ids), row * time);
      });
    }
    const shape = [count, time];
    const found = await run(
      this.weights,
      ndarray(tokens, shape, 'int32'),
      ndarray(mask, shape, 'int32'),
      ...counted.map((weights) => ndarray(weights, shape)),
    );
    return takeToHost<readonly DeviceArray[]>(found as readonly DeviceArray[]);
  }

  /** Continues prompts; see `GreedyDecoder.continue`. Logits are not touched on the way. */
  continue(
    prompts: readonly ArrayLike<number>[],
    count: number,
    { before, ...options }: ContinueOptions = {},
  ): Promise<number[][]> {
    const slots = options.softPrefix?.shape[1] ?? 0;
    const longest = prompts.map(({ length }, i) => (before?.[i]?.shape[0] ?? 0) + slots + length + count);
    const { model, decoder } = this.#decoder(Math.max(...longest, 0));
    const none = ndarray(new Float32Array(0), [0, cachedRowWidth(model.options)]);
    const states = before?.map((rows) => stateFromRows(model.options, rows ?? none));
    return decoder.continue(this.weights, prompts, count, {
      endIds: this.endIds,
      ...options,
      ...(states && { states }),
    });
  }

  /** The decoder with the fewest slots that hold so many rows; at most those of the model. */
  #decoder(rows: number): { model: Transformer; decoder: GreedyDecoder } {
    const { options } = this.model;
    const capacity = Math.min(SLOT_STEP * Math.ceil(Math.max(rows, 1) / SLOT_STEP), options.capacity);
    const known = this.#decoders.get(capacity);
    if (known) return known;
    const model = createTransformer({ ...options, capacity });
    const made = { model, decoder: new GreedyDecoder(this.engine, model) };
    this.#decoders.set(capacity, made);
    return made;
  }

  #reader(time: number, layer: number, withRows: boolean): { model: Transformer; run: Reader } {
    const key = `${time} ${layer} ${withRows}`;
    const known = this.#readers.get(key);
    if (known) return known;
    const model = createTransformer({ ...this.model.options, capacity: time, sinks: 0 });
    const run = this.engine.compile(
      (weights: TransformerParameters, tokens: tf.Tensor, mask: tf.Tensor, counted: tf.Tensor) => {
        const start = model.initState(weights, tokens.shape[0]!);
        const { hidden, state } = model.run(weights, { tokens, mask }, start, {
          logits: 'none',
          hidden: true,
        });
        const pooled = maskedMean(hidden![layer]!, counted);
        return withRows ? { pooled, state } : { pooled };
      },
      { name: 'texts', freeze: [0] },
    );
    this.#readers.set(key, { model, run });
    return { model, run };
  }

  /** Gives graphs and weights back to the engine. */
  async dispose(): Promise<void> {
    const runs = [...this.#readers.values()].map(({ run }) => run);
    const decoders = [...this.#decoders.values()].map(({ decoder }) => decoder);
    await Promise.all([this.#pool, ...runs, ...decoders].map((one) => one.dispose()));
    disposeTree(this.weights);
  }
}

/** 1 for every token that counts in a pooled state. */
function countedTokens(
  texts: readonly ArrayLike<number>[],
  mask: Int32Array,
  time: number,
  uncounted: number,
): Int32Array {
  const counted = mask.slice();
  texts.forEach((text, row) => {
    if (text.length > uncounted) counted.fill(0, row * time, row * time + uncounted);
  });
  return counted;
}

const COUNT_FLOOR = 1e-6;

/** Mean of the rows that count: `[batch, time, width]` and `[batch, time]` to `[batch, width]`. */
function maskedMean(rows: tf.Tensor, counted: tf.Tensor): tf.Tensor {
  const sum = tf.squeeze(tf.matMul(tf.expandDims(counted, 1), rows), [1]);
  return tf.div(sum, tf.maximum(tf.sum(counted, 1, true), COUNT_FLOOR));
}
