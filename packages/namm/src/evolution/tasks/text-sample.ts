import { InputError } from '@palimpsest/base';
import type { Tokenizer } from '@palimpsest/lm';
import type { TaskSample } from './evolution-task.js';
import { bestScore, firstLine, type MetricContext, type TextMetricName } from './text-metrics.js';

/** A question about a text. */
export interface TextQuestion extends MetricContext {
  readonly prompt: string;
  /** Right answers, at least one; the first is the one whose probability is measured. */
  readonly golds: readonly string[];
  readonly metric: TextMetricName;
  /** The first line of an answer alone counts. */
  readonly firstLineOnly?: boolean | undefined;
}

/** How questions are put. */
export interface Asking {
  readonly tokenizer: Tokenizer;
  /**
   * `likelihood`: the mean probability of the tokens of the answer, geometric; it tells members apart that all answer
   * wrongly. `answer`: the metric of what the model writes, the likeliest token each time.
   */
  readonly scoring: 'likelihood' | 'answer';
  /** Tokens of an answer at most, with `answer`. */
  readonly maxNewTokens: number;
  /** Tokens that a model reads and writes at most; a longer prompt keeps its first and last halves. */
  readonly maxConditioning?: number;
}

/** The first and the last half of a prompt that is too long. */
export function fitPrompt(ids: Int32Array, limit: number): Int32Array {
  if (ids.length <= limit) return ids;
  const first = Math.ceil(limit / 2);
  return Int32Array.of(...ids.subarray(0, first), ...ids.subarray(ids.length - (limit - first)));
}

/** @param ids the prompt, when it is encoded already */
export function textSample(question: TextQuestion, asking: Asking, ids?: Int32Array): TaskSample {
  const { tokenizer, scoring, maxNewTokens, maxConditioning } = asking;
  const encoded = ids ?? tokenizer.encode(question.prompt);
  const target = tokenizer.encode(question.golds[0]!);
  const written = scoring === 'likelihood' ? target.length : maxNewTokens;
  const prompt = maxConditioning === undefined ? encoded : fitPrompt(encoded, maxConditioning - written);
  if (prompt.length === 0 || target.length === 0) {
    throw new InputError('A sample needs a prompt and an answer of at least one token each.');
  }
  if (scoring === 'likelihood') return likelihoodSample(prompt, target);
  return {
    trial: {
      prompt,
      maxNewTokens,
      ...(tokenizer.endId !== undefined && { endIds: [tokenizer.endId] }),
    },
    score: ({ answer = new Int32Array() }) => {
      const text = tokenizer.decode(answer);
      const judged = question.firstLineOnly ? firstLine(text) : text;
      return bestScore(question.metric, judged, question.golds, question);
    },
  };
}

/** A prompt and what must follow: the geometric mean of the probabilities of its tokens. */
export const likelihoodSample = (prompt: Int32Array, target: Int32Array): TaskSample => ({
  trial: { prompt, target },
  score: ({ logProb = Number.NEGATIVE_INFINITY }) => Math.exp(logProb),
});
