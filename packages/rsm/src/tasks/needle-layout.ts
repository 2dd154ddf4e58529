import { InputError } from '@palimpsest/tensor-core';

/** Ids of the needle task; see `needleVocabulary`. */
export interface NeedleVocabulary {
  readonly vocabSize: number;
  readonly keyToken: number;
  readonly valueToken: number;
  readonly queryToken: number;
  readonly keyIds: readonly number[];
  readonly valueIds: readonly number[];
  /** Filler ids are 1 to this one; 0 is padding. */
  readonly lastFiller: number;
}

export type KeyValue = readonly [key: number, value: number];

/** One haystack: run, KEY k VALUE v, run, …, run, QUERY k. */
export interface NeedleSample {
  /** [haystackLength]. */
  readonly input: Int32Array;
  /** The value of the key that is asked for. */
  readonly target: number;
  readonly queryKey: number;
  /** In order of appearance. */
  readonly pairs: readonly KeyValue[];
}

/** Tokens that a needle takes: KEY k VALUE v. */
export const NEEDLE = 4;
/** QUERY k. */
export const QUESTION = 2;

/**
 * The ids of a vocabulary (DERIVATION.md, "Data"): V-3 KEY, V-2 VALUE, V-1 QUERY, the n key ids and n value ids below them, fillers
 * from 1 on.
 * @throws InputError when no filler id is left.
 */
export function needleVocabulary(vocabSize: number, numNeedles: number): NeedleVocabulary {
  const lastFiller = vocabSize - NEEDLE - 2 * numNeedles;
  if (!Number.isInteger(numNeedles) || numNeedles < 1 || !(lastFiller >= 1)) {
    throw new InputError(
      `${numNeedles} needles need at least one needle and a vocabulary of ${2 * numNeedles + NEEDLE + 1} ids or more, but vocabSize is ${vocabSize}.`,
    );
  }
  const firstKey = lastFiller + 1;
  const range = (start: number) => Array.from({ length: numNeedles }, (_, index) => start + index);
  return {
    vocabSize,
    keyToken: vocabSize - 3,
    valueToken: vocabSize - 2,
    queryToken: vocabSize - 1,
    keyIds: range(firstKey),
    valueIds: range(firstKey + numNeedles),
    lastFiller,
  };
}

/**
 * Lengths of the numNeedles + 1 filler runs: run i has floor(remaining / (numNeedles + 1 - i)) tokens.
 * @throws InputError when the needles and the question alone are longer.
 */
export function fillerRuns(haystackLength: number, numNeedles: number): number[] {
  let remaining = haystackLength - NEEDLE * numNeedles - QUESTION;
  if (!Number.isInteger(haystackLength) || remaining < 0) {
    throw new InputError(
      `A haystack with ${numNeedles} needles has at least ${NEEDLE * numNeedles + QUESTION} tokens, but ${haystackLength} was given.`,
    );
  }
  return Array.from({ length: numNeedles + 1 }, (_, index) => {
    const run = Math.floor(remaining / (numNeedles + 1 - index));
    remaining -= run;
    return run;
  });
}

/** Lays a sample out. @param filler gives the filler tokens one by one. */
export function layoutNeedles(
  vocabulary: NeedleVocabulary,
  pairs: readonly KeyValue[],
  queryKey: number,
  haystackLength: number,
  filler: () => number,
): Int32Array {
  const { keyToken, valueToken, queryToken } = vocabulary;
  const runs = fillerRuns(haystackLength, pairs.length);
  const tokens = runs.flatMap((run, index) => {
    const pair = pairs[index];
    const fillers = Array.from({ length: run }, filler);
    return pair ? [...fillers, keyToken, pair[0], valueToken, pair[1]] : fillers;
  });
  return Int32Array.from([...tokens, queryToken, queryKey]);
}

/**
 * Reads pairs, question and answer off a haystack.
 * @throws InputError for a haystack without a question, or whose question names a key that it does not hold.
 */
export function parseNeedles(
  vocabulary: NeedleVocabulary,
  input: ArrayLike<number>,
): Omit<NeedleSample, 'input'> {
  const tokens = Array.from(input);
  const pairs = tokens.flatMap((token, at): KeyValue[] =>
    token === vocabulary.keyToken && tokens[at + 2] === vocabulary.valueToken
      ? [[tokens[at + 1]!, tokens[at + 3]!]]
      : [],
  );
  const [question, queryKey] = tokens.slice(-QUESTION);
  const pair = pairs.find(([key]) => key === queryKey);
  if (question !== vocabulary.queryToken || queryKey === undefined || !pair) {
    throw new InputError('This is no haystack: it does not end in a question for one of its keys.');
  }
  return { pairs, queryKey, target: pair[1] };
}
