import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  InputError,
  logSoftmax,
  ndarray,
  tf,
} from '@palimpsest/tensor-core';
import { treeBytes } from '../model-size.js';
import type { AnySequenceModel, TextReader } from '../sequence-model.js';
import { countBytes, countCharacters, type Tokenizer } from '../tokenizers/tokenizer.js';
import { LossTally, type TextBucket } from './loss-tally.js';

export interface EvaluationOptions {
  /**
   * Tokens per call of `forward`; in the windowed regime also the length of a window, which is at most what the model reads at
   * once. Default 128, or less where the model reads less.
   */
  readonly chunk?: number | undefined;
  /**
   * Parts of the text that are read side by side. Streaming: each begins with a fresh memory, so 1 is the one true pass
   * and more trade exactness for speed. Windowed: windows per call, without effect on the result. Default 1.
   */
  readonly lanes?: number;
  /** `streaming` carries the memory through the text; `windowed` begins every window of `chunk` tokens afresh. */
  readonly regime?: 'streaming' | 'windowed';
  /** Counts characters and bytes, for figures that compare across vocabularies. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Ends the evaluation early; what was read so far is reported. */
  readonly signal?: AbortSignal | undefined;
}

/** What a model makes of a text that it did not train on. */
export interface TextEvaluation {
  readonly regime: 'streaming' | 'windowed';
  /** Tokens per window; absent where the memory was carried. */
  readonly window?: number | undefined;
  /** Predictions: every token but the first. */
  readonly tokens: number;
  /** Mean negative log-likelihood in nats per token, without label smoothing. */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** Bits per Unicode character and per byte of UTF-8, when a tokenizer was given. */
  readonly bitsPerCharacter?: number;
  readonly bitsPerByte?: number;
  /** Share of tokens that were the most likely ones. */
  readonly accuracy: number;
  /** Loss by the number of tokens in memory. */
  readonly buckets: readonly TextBucket[];
  /** Bytes of the memory of one lane, the most that it was. */
  readonly stateBytes: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

interface Scores {
  readonly losses: tf.Tensor;
  readonly hits: tf.Tensor;
  readonly state: unknown;
}

/** A stretch of predictions that one lane of one call makes, from its place in the text. */
interface Stretch {
  readonly start: number;
  readonly length: number;
  /** Tokens in memory before the first of them. */
  readonly distance: number;
}

/** Compiled evaluation of one model; `run` it with the parameters of the moment. */
export class Evaluator {
  readonly #options: EvaluationOptions &
    Required<Pick<EvaluationOptions, 'lanes' | 'regime'>> & { readonly chunk: number };
  readonly #initState: Compiled<readonly unknown[], unknown>;
  readonly #score: Compiled<readonly unknown[], Scores>;

  #reader: Promise<TextReader> | undefined;
  /** Parameters that the reader was made with. */
  #readParams: unknown;

  constructor(
    private readonly engine: Engine,
    private readonly model: AnySequenceModel,
    options: EvaluationOptions = {},
  ) {
    const { longestPiece = Infinity } = model;
    const { chunk = Math.min(128, longestPiece), lanes = 1, regime = 'streaming' } = options;
    if (!(Number.isInteger(chunk) && chunk > 0 && Number.isInteger(lanes) && lanes > 0)) {
      throw new InputError(
        `Evaluation reads positive whole numbers of lanes and tokens, but lanes ${lanes} and chunk ${chunk} were given.`,
      );
    }
    // Windows are what is measured; pieces of one stream are as good as others.
    if (regime === 'windowed' && chunk > longestPiece) {
      throw new InputError(
        `Windows of ${chunk} tokens were asked for, but the model '${model.name}' reads at most ${longestPiece} at once; give a chunk of ${longestPiece} or less.`,
      );
    }
    this.#options = { ...options, chunk: Math.min(chunk, longestPiece), lanes, regime };
    this.#initState = engine.compile((params: unknown) => model.initState(params, lanes), {
      name: `${model.name}.initState`,
    }) as never;
    this.#score = engine.compile(
      (params: unknown, tokens: tf.Tensor2D, targets: tf.Tensor2D, state: unknown) =>
        score(model, params, tokens, targets, state),
      { name: `${model.name}.evaluate`, donate: [3] },
    ) as never;
  }

  /**
   * Measures the model on a text.
   * @param params on the host or on the engine; they stay the caller's.
   * @throws InputError for a text of fewer than two tokens.
   */
  async run(params: unknown, ids: Int32Array): Promise<TextEvaluation> {
    if (ids.length < 2) {
      throw new InputError(`A text of at least two tokens can be evaluated, but this one has ${ids.length}.`);
    }
    const { tokenizer, regime, signal, lanes, chunk } = this.#options;
    const start = performance.now();
    const tally = new LossTally();
    let state: unknown;
    let bytes = 0;
    try {
      for (const call of this.#calls(ids.length - 1)) {
        if (signal?.aborted) break;
        if (this.model.reader) {
          const reader = await this.#readBy(
            params,
            ids,
            call,
            tally,
            regime === 'windowed' || state === undefined,
          );
          bytes = Math.max(bytes, reader.largestStateBytes);
          state = {};
          continue;
        }
        if (regime === 'windowed' || state === undefined) {
          disposeTree(state);
          state = await this.#initState(params);
        }
        state = await this.#read(params, ids, call, state, tally);
        bytes = Math.max(bytes, treeBytes(state));
      }
    } finally {
      disposeTree(state);
    }
    const seconds = (performance.now() - start) / 1000;
    const isWhole = tally.tokens === ids.length - 1;
    const text = tokenizer && isWhole ? tokenizer.decode(ids.subarray(1)) : undefined;
    const bits = tally.sum / Math.LN2;
    return {
      regime,
      window: regime === 'windowed' ? chunk : undefined,
      tokens: tally.tokens,
      loss: tally.sum / tally.tokens,
      perplexity: Math.exp(tally.sum / tally.tokens),
      ...(text === undefined
        ? {}
        : { bitsPerCharacter: bits / countCharacters(text), bitsPerByte: bits / countBytes(text) }),
      accuracy: tally.hits / tally.tokens,
      buckets: tally.buckets(),
      stateBytes: Math.ceil(bytes / lanes),
      seconds,
      tokensPerSecond: tally.tokens / Math.max(seconds, 1e-9),
    };
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#initState.dispose(), this.#score.dispose()]);
    await (await this.#reader)?.dispose();
  }

  /** For every call, what each lane predicts in it. */
  *#calls(predictions: number): Generator<Stretch[]> {
    const { regime, lanes, chunk } = this.#options;
    if (regime === 'windowed') {
      for (let from = 0; from < predictions; from += chunk * lanes) {
        yield Array.from({ length: lanes }, (_, lane) => {
          const start = from + lane * chunk;
          return { start, length: clamp(predictions - start, chunk), distance: 0 };
        });
      }
      return;
    }
    const border = (lane: number) => Math.floor((lane * predictions) / lanes);
    const longest = Math.ceil(predictions / lanes);
    for (let distance = 0; distance < longest; distance += chunk) {
      yield Array.from({ length: lanes }, (_, lane) => {
        const start = border(lane) + distance;
        return { start, length: clamp(border(lane + 1) - start, chunk), distance };
      });
    }
  }

  /** A call through the model's own reader, whose memory is that of the parameters it was made with. */
  async #readBy(
    params: unknown,
    ids: Int32Array,
    call: readonly Stretch[],
    tally: LossTally,
    begins: boolean,
  ): Promise<TextReader> {
    const { lanes, chunk } = this.#options;
    if (params !== this.#readParams) {
      await (await this.#reader)?.dispose();
      this.#reader = this.model.reader!(this.engine, params, lanes);
      this.#readParams = params;
    }
    const reader = await this.#reader!;
    if (begins) await reader.reset();
    const tokens = new Int32Array(lanes * chunk);
    call.forEach(({ start, length }, lane) => {
      tokens.set(ids.subarray(start, start + length), lane * chunk);
    });
    const { data, shape } = await reader.read(ndarray(tokens, [lanes, chunk], 'int32'));
    const width = shape[2]!;
    call.forEach(({ start, length, distance }, lane) => {
      for (let i = 0; i < length; i++) {
        const from = (lane * chunk + i) * width;
        const { loss, hit } = judge(data.subarray(from, from + width), ids[start + 1 + i]!);
        tally.add(distance + i, loss, hit);
      }
    });
    return reader;
  }

  async #read(
    params: unknown,
    ids: Int32Array,
    call: readonly Stretch[],
    state: unknown,
    tally: LossTally,
  ): Promise<unknown> {
    const { lanes, chunk } = this.#options;
    const tokens = new Int32Array(lanes * chunk);
    const targets = new Int32Array(lanes * chunk);
    call.forEach(({ start, length }, lane) => {
      tokens.set(ids.subarray(start, start + length), lane * chunk);
      targets.set(ids.subarray(start + 1, start + 1 + length), lane * chunk);
    });
    const scores = (await this.#score(
      params,
      ndarray(tokens, [lanes, chunk], 'int32'),
      ndarray(targets, [lanes, chunk], 'int32'),
      state,
    )) as { losses: DeviceArray; hits: DeviceArray; state: unknown };
    const [losses, hits] = await Promise.all([scores.losses.data(), scores.hits.data()]);
    scores.losses.dispose();
    scores.hits.dispose();
    call.forEach(({ length, distance }, lane) => {
      for (let i = 0; i < length; i++) {
        tally.add(distance + i, losses[lane * chunk + i]!, hits[lane * chunk + i]!);
      }
    });
    return scores.state;
  }
}

/**
 * Loss and hit of one prediction, in float64.
 * @param logits of all classes
 */
function judge(logits: Float32Array, target: number): { loss: number; hit: number } {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  const largest = logits[best]!;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - largest);
  return { loss: largest + Math.log(sum) - logits[target]!, hit: Number(best === target) };
}

const clamp = (length: number, most: number) => Math.max(0, Math.min(length, most));

/** Loss and hit of every position, [batch * time] each. */
function score(
  model: AnySequenceModel,
  params: unknown,
  tokens: tf.Tensor2D,
  targets: tf.Tensor2D,
  state: unknown,
): Scores {
  const result = model.forward(params, tokens, state, { training: false });
  const rows = tokens.size;
  const classes = result.logits.shape[2];
  const logits = tf.reshape(result.logits, [rows, classes]);
  const labels = tf.reshape(targets, [rows]);
  const firsts = tf.tensor1d(
    Int32Array.from({ length: rows }, (_, row) => row * classes),
    'int32',
  );
  const chosen = tf.gather(tf.reshape(logSoftmax(logits), [rows * classes]), tf.add(firsts, labels));
  const hits = tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'int32');
  return { losses: tf.neg(chosen), hits, state: result.state };
}

/** One evaluation with everything it needs; for several with the same model, keep an `Evaluator`. */
export async function evaluateText(
  engine: Engine,
  model: AnySequenceModel,
  params: unknown,
  ids: Int32Array,
  options: EvaluationOptions = {},
): Promise<TextEvaluation> {
  const evaluator = new Evaluator(engine, model, options);
  try {
    return await evaluator.run(params, ids);
  } finally {
    await evaluator.dispose();
  }
}
