import {
  type Compiled,
  type DeviceArray,
  type Engine,
  formatShape,
  InputError,
  type NDArray,
  ndarray,
  tf,
  treeLeaves,
  treeZip,
} from '@palimpsest/tensor-core';
import type { TransformerState } from './cache.js';
import { paddedPositions } from './input-rows.js';
import type { TransformerParameters } from './parameters.js';
import { type PromptPiece, promptPieces } from './prompt-pieces.js';
import type { Transformer } from './transformer.js';

export interface GreedyOptions {
  /** Embeddings that stand before the prompt, `[1, slots, modelWidth]`; of several prompts also one of each, `[prompts, …]`. */
  readonly softPrefix?: NDArray | undefined;
  /** Ids that end the text; the one that was found is given too. */
  readonly endIds?: readonly number[];
  /**
   * What stands in the cache before each prompt, in place of nothing: states of one text on the host, such as cached keys and
   * values that are read again. Their `position` is where the prompt, or its soft prefix, goes on.
   */
  readonly states?: readonly TransformerState<NDArray>[];
  /** Chooses the next id of a prompt from its logits, `[vocabSize]`. Default: the likeliest, of equal ones the first. */
  readonly choose?: (logits: Float32Array, prompt: number) => number;
  /** Told every new id of a prompt as soon as it is known. */
  readonly onToken?: (id: number, prompt: number) => void;
}

/** Parameters on the host or on the engine. */
type AnyParameters = TransformerParameters<NDArray> | TransformerParameters<DeviceArray>;
type State = TransformerState<DeviceArray>;
type Prompt = ArrayLike<number>;
interface Read {
  readonly logits: DeviceArray;
  readonly state: State;
}
type Run = Compiled<readonly unknown[], { readonly logits: tf.Tensor; readonly state: TransformerState }>;

/**
 * The likeliest continuation of prompts, with graphs that are kept between calls. Prompts are read one by one in pieces, then
 * all texts go on side by side, one token each per step. Sampling and stop texts are the business of `@palimpsest/lm`.
 */
export class GreedyDecoder {
  readonly #initState: Compiled<readonly unknown[], TransformerState>;
  readonly #read: Run;
  readonly #readPadded: Run;
  readonly #step: Run;
  readonly #join: Compiled<readonly unknown[], TransformerState>;

  constructor(
    engine: Engine,
    private readonly model: Transformer,
  ) {
    this.#initState = engine.compile((weights: never) => model.initState(weights, 1), {
      name: 'initState',
    }) as never;
    this.#read = engine.compile(
      (weights: TransformerParameters, tokens: tf.Tensor, state: TransformerState, softPrefix?: tf.Tensor) =>
        model.run(weights, { tokens, softPrefix }, state, { logits: 'last' }),
      { name: 'prefill', donate: [2] },
    ) as never;
    this.#readPadded = engine.compile(
      (weights: TransformerParameters, tokens: tf.Tensor, mask: tf.Tensor, state: TransformerState) => {
        const positions = tf.add(tf.reshape(state.position, [-1, 1]), paddedPositions(mask));
        return model.run(weights, { tokens, mask, positions }, state, { logits: 'last' });
      },
      { name: 'padded prefill', donate: [3] },
    ) as never;
    this.#step = engine.compile(model.step, { name: 'step', donate: [2] }) as never;
    this.#join = engine.compile(
      (states: readonly TransformerState[]) =>
        treeZip<tf.Tensor, tf.Tensor>(states, (parts) => tf.concat(parts, 0)) as TransformerState,
      { name: 'join', donate: [0] },
    ) as never;
  }

  /**
   * @param prompts ids, at least one each; they may have different lengths
   * @returns at most `count` new ids for each prompt, in their order
   * @throws InputError for no prompt, an empty one, an id that is no token, or a prefix that does not fit.
   */
  async continue(
    params: AnyParameters,
    prompts: readonly Prompt[],
    count: number,
    options: GreedyOptions = {},
  ): Promise<number[][]> {
    const { softPrefix, endIds = [], states: before, choose = argMax, onToken } = options;
    this.#check(prompts, count, softPrefix);
    if (before && before.length !== prompts.length) {
      throw new InputError(
        `There are ${before.length} states for ${prompts.length} prompts; give one for each.`,
      );
    }
    if (count === 0) return prompts.map(() => []);
    const reads: Read[] = [];
    for (const [index, prompt] of prompts.entries()) {
      const start = before?.[index] ?? (await this.#initState(params));
      const held = before?.[index]?.position.data[0] ?? 0;
      const pieces = promptPieces(prompt, softPrefix ? 0 : roomOf(this.model) - held);
      reads.push(await this.#prefill(params, pieces, start, softPrefix && prefixOf(softPrefix, index)));
    }
    const texts: number[][] = prompts.map(() => []);
    const ends = (text: readonly number[]) => text.length === count || endIds.includes(text.at(-1)!);
    const extend = (logits: readonly Float32Array[]) => {
      logits.forEach((row, index) => {
        if (ends(texts[index]!)) return;
        const id = choose(row, index);
        texts[index]!.push(id);
        onToken?.(id, index);
      });
    };
    extend(await Promise.all(reads.map(({ logits }) => taken(logits))));
    const states = reads.map(({ state }) => state);
    let state = (states.length === 1 ? states[0]! : await this.#join(states)) as State;
    while (!texts.every(ends)) {
      const last = Int32Array.from(texts, (text) => text.at(-1)!);
      const result = (await this.#step(params, ndarray(last, [last.length], 'int32'), state)) as Read;
      state = result.state;
      extend(rows(await taken(result.logits), last.length));
    }
    for (const { leaf } of treeLeaves<DeviceArray>(state)) leaf.dispose();
    return texts;
  }

  /** Releases the graphs. */
  async dispose(): Promise<void> {
    const graphs = [this.#initState, this.#read, this.#readPadded, this.#step, this.#join];
    await Promise.all(graphs.map((one) => one.dispose()));
  }

  /** Reads one prompt behind what the state holds. */
  async #prefill(
    params: AnyParameters,
    pieces: Iterable<PromptPiece>,
    start: State | TransformerState<NDArray>,
    softPrefix?: NDArray,
  ): Promise<Read> {
    let state = start as State;
    let logits: DeviceArray | undefined;
    let prefix = softPrefix;
    for (const piece of pieces) {
      const result = await this.#readPiece(params, piece, state, prefix);
      prefix = undefined;
      logits?.dispose();
      ({ logits, state } = result);
    }
    return { logits: logits!, state };
  }

  async #readPiece(
    params: AnyParameters,
    { tokens, rows }: PromptPiece,
    state: State,
    prefix: NDArray | undefined,
  ): Promise<Read> {
    const { length } = tokens;
    if (rows !== undefined) {
      const [ids, mask] = [new Int32Array(rows), new Int32Array(rows)];
      ids.set(tokens, rows - length);
      mask.fill(1, rows - length);
      const [padded, seen] = [ids, mask].map((values) => ndarray(values, [1, rows], 'int32'));
      return (await this.#readPadded(params, padded, seen, state)) as Read;
    }
    if (length === 1 && !prefix)
      return (await this.#step(params, ndarray(tokens, [1], 'int32'), state)) as Read;
    const ids = ndarray(tokens, [1, length], 'int32');
    return (await this.#read(params, ids, state, ...(prefix ? [prefix] : []))) as Read;
  }

  #check(prompts: readonly Prompt[], count: number, softPrefix: NDArray | undefined): void {
    const { vocabSize, positions, context, modelWidth } = this.model.options;
    if (!(Number.isInteger(count) && count >= 0))
      throw new InputError(
        `The number of new tokens is 0 or a positive whole number, but ${count} was given.`,
      );
    if (prompts.length === 0) throw new InputError('At least one prompt is needed, but none was given.');
    const slots = softPrefix?.shape[1] ?? 0;
    const fits = softPrefix?.shape.length === 3 && softPrefix.shape[2] === modelWidth;
    if (softPrefix && !(fits && [1, prompts.length].includes(softPrefix.shape[0]!))) {
      throw new InputError(
        `'softPrefix' needs the shape [1, slots, ${modelWidth}] or [${prompts.length}, slots, ${modelWidth}], but ${formatShape(softPrefix.shape)} was given.`,
      );
    }
    prompts.forEach((prompt, index) => {
      const name = prompts.length === 1 ? 'The prompt' : `Prompt ${index}`;
      if (prompt.length === 0)
        throw new InputError(`${name} needs at least one token, but is empty; begin with the start id.`);
      const wrong = Array.from(prompt).findIndex(
        (id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize),
      );
      if (wrong >= 0) {
        throw new InputError(
          `${name} has the id ${prompt[wrong]} at place ${wrong}, but ids of this model are 0 to ${vocabSize - 1}.`,
        );
      }
      if (positions === 'learned' && slots + prompt.length > context) {
        throw new InputError(
          `${name} has ${slots + prompt.length} rows with its prefix, which do not fit into the ${context} learned positions; shorten it.`,
        );
      }
    });
  }
}

/** Tokens that fit into the cache and have positions. */
const roomOf = ({ options: { capacity, positions, context } }: Transformer): number =>
  positions === 'learned' ? Math.min(capacity, context) : capacity;

const decoders = new WeakMap<Engine, WeakMap<Transformer, GreedyDecoder>>();

/**
 * Continues a prompt with the likeliest token again and again, or several prompts at once. The graphs are kept with the
 * engine for the next call with the same model; `GreedyDecoder` gives them back when it is told to.
 * @param prompt the ids of one text, or a list of such
 * @returns at most `count` new ids, or a list of such in the order of the prompts
 * @throws InputError as `GreedyDecoder.continue` does.
 */
export function continueGreedily(
  engine: Engine,
  model: Transformer,
  params: AnyParameters,
  prompt: ArrayLike<number>,
  count: number,
  options?: GreedyOptions,
): Promise<number[]>;
export function continueGreedily(
  engine: Engine,
  model: Transformer,
  params: AnyParameters,
  prompts: readonly ArrayLike<number>[],
  count: number,
  options?: GreedyOptions,
): Promise<number[][]>;
export async function continueGreedily(
  engine: Engine,
  model: Transformer,
  params: AnyParameters,
  prompt: Prompt | readonly Prompt[],
  count: number,
  options: GreedyOptions = {},
): Promise<number[] | number[][]> {
  const known = decoders.get(engine) ?? new WeakMap<Transformer, GreedyDecoder>();
  decoders.set(engine, known);
  const decoder = known.get(model) ?? new GreedyDecoder(engine, model);
  known.set(model, decoder);
  if (isList(prompt)) return decoder.continue(params, prompt, count, options);
  return (await decoder.continue(params, [prompt], count, options))[0]!;
}

const isList = (prompt: Prompt | readonly Prompt[]): prompt is readonly Prompt[] =>
  prompt.length > 0 && typeof prompt[0] !== 'number';

/** The prefix of one prompt, `[1, slots, modelWidth]`. */
function prefixOf(prefix: NDArray, index: number): NDArray {
  const [count, slots, width] = prefix.shape as [number, number, number];
  const size = slots * width;
  const start = count === 1 ? 0 : index * size;
  return ndarray(prefix.data.slice(start, start + size), [1, slots, width]);
}

/** Reads an array and gives its memory back. */
async function taken(array: DeviceArray): Promise<Float32Array> {
  const data = (await array.data()) as Float32Array;
  array.dispose();
  return data;
}

function rows(data: Float32Array, count: number): Float32Array[] {
  const width = data.length / count;
  return Array.from({ length: count }, (_, row) => data.subarray(row * width, (row + 1) * width));
}

/** Index of the largest value; of equal ones the first. */
function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
