import { InputError } from '@palimpsest/tensor-core';

export interface GateOptions {
  /** Temperature of the probabilities. */
  readonly tau: number;
  /** Most memories. */
  readonly k: number;
  /** Least probability of a memory that is not the best. */
  readonly pMin: number;
}

/** One of the best memories of a query. */
export interface GatedMemory {
  /** Place among the scored memories. */
  readonly index: number;
  readonly score: number;
  /** softmax(score / tau) over all scored memories. */
  readonly probability: number;
  /** Whether it takes part in the answer. */
  readonly kept: boolean;
}

/** @throws InputError for a score that is not a number: it would take any rank. */
function checkScores(scores: ArrayLike<number>): void {
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isNaN(scores[i])) continue;
    throw new InputError(
      `The score of memory ${i} is not a number, so that no memory can be ranked; the adapters are broken.`,
    );
  }
}

/** All scores are sorted where more than one in so many is asked for. */
const SORTING_PAYS = 16;

/** softmax(score / tau). @throws InputError for a score that is not a number. */
export function scoreProbabilities(scores: ArrayLike<number>, tau: number): Float64Array {
  checkScores(scores);
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) largest = Math.max(largest, scores[i]!);
  const powers = new Float64Array(scores.length);
  let total = 0;
  for (let i = 0; i < powers.length; i++) {
    powers[i] = Math.exp((scores[i]! - largest) / tau);
    total += powers[i]!;
  }
  return powers.map((power) => power / total);
}

/** Places by falling score, the lower place first among equals. @throws InputError for a score that is not a number. */
export function rankedPlaces(scores: ArrayLike<number>): number[] {
  checkScores(scores);
  return Array.from(scores, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** The first k of `rankedPlaces`; where they are few, each score is looked at once. */
function bestPlaces(scores: ArrayLike<number>, k: number): number[] {
  if (SORTING_PAYS * k > scores.length) return rankedPlaces(scores).slice(0, k);
  const best: number[] = [];
  for (let place = 0; place < scores.length; place++) {
    if (best.length === k && !(scores[place]! > scores[best[k - 1]!]!)) continue;
    let at = best.length;
    while (at > 0 && scores[place]! > scores[best[at - 1]!]!) at--;
    best.splice(at, 0, place);
    if (best.length > k) best.pop();
  }
  return best;
}

/** The rank of a memory, from 1. @throws InputError for a score that is not a number. */
export const rankOf = (scores: ArrayLike<number>, index: number): number =>
  rankedPlaces(scores).indexOf(index) + 1;

/**
 * The k best memories of a query; the best one is always kept, the others where their probability reaches `pMin`
 * (DERIVATION.md, "Retrieval").
 * @param scores of all memories
 * @returns best first, at most k
 * @throws InputError for a score that is not a number.
 */
export function gate(scores: ArrayLike<number>, { tau, k, pMin }: GateOptions): GatedMemory[] {
  const probabilities = scoreProbabilities(scores, tau);
  return bestPlaces(scores, k).map((index, place) => {
    const probability = probabilities[index]!;
    return { index, score: scores[index]!, probability, kept: place === 0 || probability >= pMin };
  });
}
