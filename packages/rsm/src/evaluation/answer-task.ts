import { type Batch, type BatchSource, IGNORED_TARGET, type JsonObject } from '@palimpsest/lm';
import { full, InputError, Rng, type RngState, zeros } from '@palimpsest/tensor-core';

/** One question in a text: the model reads `tokens`, and after the last of them the answer is expected. */
export interface Question {
  readonly tokens: Int32Array;
  readonly answer: number;
  /** What was asked of the memory, as in { distance: 40 }. */
  readonly difficulty: number;
}

/** A family of questions that differ in one difficulty: distance, depth, length. */
export interface AnswerTask {
  readonly name: string;
  readonly vocabSize: number;
  /** Ids that an answer can be; a blind guess among them is right once in `answers.length`. */
  readonly answers: readonly number[];
  /** What the difficulty counts, as in 'tokens between value and query'. */
  readonly unit: string;
  /** Most difficult question that fits into a text of `length` tokens. */
  hardest(length: number): number;
  /** Draws a question as a text of exactly `length` tokens. */
  question(rng: Rng, length: number, difficulty: number): Question;
}

/** A told fact takes this many tokens of its chunk. */
const FACT_TOKENS = 2;

export interface AnswerBatchesOptions {
  readonly batch: number;
  /** Tokens per chunk of the model: texts have 1 to `chunks` chunks. */
  readonly chunk: number;
  /** Numbers of chunks that texts have, one drawn for every text. Mixed lengths are what makes a memory generalise. */
  readonly chunks: readonly number[];
  /** `anywhere`: difficulties are drawn evenly; `firstChunk`: what is asked for was told in the first chunk. Default anywhere. */
  readonly placement?: 'anywhere' | 'firstChunk';
  readonly seed: number;
}

/**
 * Questions as training batches: every text starts from a fresh memory, and only its answer counts. All batches have the
 * length of the longest text, so that one graph serves them: a shorter text stands at the start, and what a causal model
 * reads behind it changes nothing.
 */
export class AnswerBatches implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = false;
  readonly hasIgnoredTargets = true;
  readonly #task: AnswerTask;
  readonly #options: AnswerBatchesOptions;
  #rng: Rng;

  /** @throws InputError when there is no length, or one too short for the task. */
  constructor(task: AnswerTask, options: AnswerBatchesOptions) {
    this.#task = task;
    this.#options = options;
    const shortest = Math.min(...options.chunks) * options.chunk;
    if (!Number.isFinite(shortest) || task.hardest(shortest) < 0) {
      throw new InputError(
        `Texts of ${Number.isFinite(shortest) ? shortest : 'no'} tokens cannot hold a question of '${task.name}'; give longer chunks or more of them.`,
      );
    }
    this.batch = options.batch;
    this.time = Math.max(...options.chunks) * options.chunk;
    this.#rng = Rng.fromSeed(options.seed);
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = full([batch, time], IGNORED_TARGET, 'int32');
    for (let row = 0; row < batch; row++) {
      const { tokens, answer } = this.#question();
      inputs.data.set(tokens, row * time);
      targets.data[row * time + tokens.length - 1] = answer;
    }
    return { inputs, targets, resets: full([batch], 1, 'int32') };
  }

  cursor(): JsonObject {
    return { kind: this.#task.name, rng: [...this.#rng.state()] };
  }

  seek(cursor: JsonObject): void {
    if (cursor.kind !== this.#task.name) {
      throw new InputError(
        `A place in '${this.#task.name}' was expected, but this is one in '${cursor.kind}'.`,
      );
    }
    this.#rng = Rng.fromState(cursor.rng as RngState);
  }

  #question(): Question {
    const { chunk, chunks, placement } = this.#options;
    const length = chunk * chunks[this.#rng.int(chunks.length)]!;
    const hardest = this.#task.hardest(length);
    const easiest = placement === 'firstChunk' ? Math.max(0, hardest - chunk + FACT_TOKENS) : 0;
    return this.#task.question(this.#rng, length, easiest + this.#rng.int(hardest - easiest + 1));
  }
}
