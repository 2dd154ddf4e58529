import { Rng } from '@palimpsest/tensor-core';
import type { AnswerTask } from './answer-task.js';
import type { Intervention, MemoryStream } from './memory-stream.js';
import { type Proportion, proportion } from './proportion.js';

export interface AnswerAccuracy {
  readonly difficulty: number;
  /** Tokens of the text, and how many chunks they are. */
  readonly length: number;
  readonly chunks: number;
  /** The likeliest of all tokens is the answer. */
  readonly exact: Proportion;
  /** The likeliest of the tokens that an answer can be is the answer. */
  readonly amongAnswers: Proportion;
  /** What a blind guess among the answers reaches. */
  readonly chance: number;
}

export interface AnswerAccuracyOptions {
  readonly chunk: number;
  readonly difficulty: number;
  /** Tokens of every text. Default: the fewest whole chunks that hold the question. */
  readonly length?: number;
  /** Questions asked. Default 256. */
  readonly samples?: number;
  readonly batch?: number;
  readonly seed?: number;
  readonly intervene?: Intervention;
}

/** Asks fresh questions of one difficulty, every text streamed chunk by chunk through the memory. */
export async function answerAccuracy(
  stream: MemoryStream,
  task: AnswerTask,
  options: AnswerAccuracyOptions,
): Promise<AnswerAccuracy> {
  const { chunk, difficulty, samples = 256, batch = 64, seed = 0, intervene } = options;
  const length = options.length ?? chunk * chunksFor(task, chunk, difficulty);
  const rng = Rng.fromSeed(seed);
  let exact = 0;
  let among = 0;
  let asked = 0;
  while (asked < samples) {
    const questions = Array.from({ length: batch }, () => task.question(rng, length, difficulty));
    const { logits } = await stream.readTexts(
      questions.map(({ tokens }) => tokens),
      chunk,
      intervene,
    );
    questions.forEach(({ answer }, row) => {
      const scores = logits.subarray(row * task.vocabSize, (row + 1) * task.vocabSize);
      if (likeliest(scores) === answer) exact += 1;
      if (likeliest(scores, task.answers) === answer) among += 1;
    });
    asked += batch;
  }
  return {
    difficulty,
    length,
    chunks: Math.ceil(length / chunk),
    exact: proportion(exact, asked),
    amongAnswers: proportion(among, asked),
    chance: 1 / task.answers.length,
  };
}

/** Fewest chunks whose tokens hold a question of this difficulty. */
export function chunksFor(task: AnswerTask, chunk: number, difficulty: number): number {
  let chunks = 1;
  while (task.hardest(chunks * chunk) < difficulty) chunks += 1;
  return chunks;
}

/** Id with the highest score; the lowest id among equals. */
function likeliest(scores: Float32Array, ids?: readonly number[]): number {
  const candidates = ids ?? Array.from({ length: scores.length }, (_, id) => id);
  return candidates.reduce((best, id) => (scores[id]! > scores[best]! ? id : best), candidates[0]!);
}
