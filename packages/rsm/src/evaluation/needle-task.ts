import { InputError } from '@palimpsest/tensor-core';
import { type KeyValue, layoutNeedles, needleVocabulary } from '../data/needle.js';
import type { AnswerTask, Question } from './answer-task.js';

export interface NeedleTaskOptions {
  /** Pairs that are told. Default 5. */
  readonly needles?: number;
  /** Different filler tokens. Default 16. */
  readonly fillers?: number;
}

/** Tokens of a needle (KEY k VALUE v) and of the question (QUERY k). */
const NEEDLE = 4;
const QUESTION = 2;

/**
 * Needles in a haystack (rsm.md 8): pairs of key and value between runs of filler, then one of the keys. Keys and values
 * are paired anew for every text; the difficulty is how many other needles stand between the one that is asked for and the
 * question.
 */
export function needleTask(options: NeedleTaskOptions = {}): AnswerTask {
  const { needles = 5, fillers = 16 } = options;
  if (!(Number.isInteger(fillers) && fillers >= 1)) {
    throw new InputError(`Needles need a positive number of fillers, but ${fillers} was given.`);
  }
  // Id 0 is padding, fillers follow it; see `needleVocabulary`.
  const vocabSize = fillers + 2 * needles + NEEDLE;
  const vocabulary = needleVocabulary(vocabSize, needles);
  const { keyIds, valueIds, lastFiller } = vocabulary;
  return {
    name: 'needle',
    vocabSize,
    answers: valueIds,
    unit: 'needles between the right one and the question',
    hardest: (length) => (length >= NEEDLE * needles + QUESTION ? needles - 1 : -1),
    question(rng, length, difficulty): Question {
      const values = Array.from(rng.permutation(needles), (index) => valueIds[index]!);
      const pairs = Array.from(
        rng.permutation(needles),
        (index): KeyValue => [keyIds[index]!, values[index]!],
      );
      const [key, answer] = pairs[needles - 1 - difficulty]!;
      const tokens = layoutNeedles(vocabulary, pairs, key, length, () => 1 + rng.int(lastFiller));
      return { tokens, answer, difficulty };
    },
  };
}
