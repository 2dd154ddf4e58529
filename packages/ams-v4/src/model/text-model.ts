import {
  GreedyDecoder,
  type GreedyOptions,
  type Transformer,
  type TransformerParameters,
} from '@palimpsest/backbone';
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
}

/** A frozen language model as `loadPretrained` of the backbone gives it. */
export interface FrozenModel {
  readonly model: Transformer;
  readonly params: TransformerParameters<NDArray>;
  readonly tokenizer?: TextTokenizer;
  readonly endIds: readonly number[];
}

/** Texts are padded to lengths of which there are few, because each length is a graph of its own. */
const LENGTH_STEP = 8;

/** A frozen language model on an engine: pooled states of texts, and continuations behind a prefix. */
export class TextModel {
  readonly model: Transformer;
  readonly endIds: readonly number[];
  /** The parameters on the engine. */
  readonly weights: TransformerParameters<DeviceArray>;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #pool: Compiled<[TransformerParameters, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor>;
  readonly #decoder: GreedyDecoder;
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
    this.#decoder = new GreedyDecoder(engine, frozen.model);
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
    const counted = mask.slice();
    texts.forEach((text, row) => {
      if (!firstToken && text.length > 1) counted[row * time] = 0;
    });
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

  /** Continues prompts; see `GreedyDecoder.continue`. Logits are not touched on the way. */
  continue(
    prompts: readonly ArrayLike<number>[],
    count: number,
    options: GreedyOptions = {},
  ): Promise<number[][]> {
    return this.#decoder.continue(this.weights, prompts, count, { endIds: this.endIds, ...options });
  }

  /** Gives graphs and weights back to the engine. */
  async dispose(): Promise<void> {
    await Promise.all([this.#pool.dispose(), this.#decoder.dispose()]);
    disposeTree(this.weights);
  }
}

const COUNT_FLOOR = 1e-6;

/** Mean of the rows that count: `[batch, time, width]` and `[batch, time]` to `[batch, width]`. */
function maskedMean(rows: tf.Tensor, counted: tf.Tensor): tf.Tensor {
  const sum = tf.squeeze(tf.matMul(tf.expandDims(counted, 1), rows), [1]);
  return tf.div(sum, tf.maximum(tf.sum(counted, 1, true), COUNT_FLOOR));
}
