import type { Sampling } from './sampling-options.js';
import type { VocabularyScores } from './vocabulary-scores.js';

/** Tokens that can be drawn, in rising order, and their probabilities. */
export interface KeptTokens {
  readonly ids: readonly number[];
  readonly probabilities: readonly number[];
}

/** So many of the likeliest tokens are put in order first; mostly they are more than top-p keeps. */
const FIRST = 64;

/** Whether top-p or min-p is at work. */
const cutsByProbability = ({ topP, topPRule, minP }: Sampling) =>
  minP > 0 || (topP > 0 && (topP < 1 || topPRule === 'exclusive'));

const cutsByCount = ({ topK }: Sampling, size: number) => topK > 0 && topK < size;

/** Whether some tokens of a vocabulary are cut off. */
export const cutsOff = (sampling: Sampling, size: number): boolean =>
  cutsByProbability(sampling) || cutsByCount(sampling, size);

/** The tokens that top-k, top-p and min-p leave. */
export function keptTokens(scores: VocabularyScores, sampling: Sampling): KeptTokens {
  const sum = scores.share(sampling.temperature);
  if (cutsByCount(sampling, scores.count)) {
    const ids = likeliest(scores, sampling);
    return normalised(scores, ids.slice(0, keptCount(scores, ids, sumOf(scores, ids), sampling)));
  }
  // Putting a vocabulary in order costs more than a small model's token.
  for (let count = FIRST; ; count *= 4) {
    const ids = ranked(scores, count);
    const kept = keptCount(scores, ids, sum, sampling);
    if (kept < ids.length || count >= scores.count) return normalised(scores, ids.slice(0, kept));
  }
}

/** At least `count` ids if there are as many that can be drawn, the largest score first, the lower id first among equals. */
export function ranked(row: VocabularyScores, count: number): number[] {
  const { scores } = row;
  const ids = row.largestIds(count).filter((id) => scores[id]! > -Infinity);
  return ids.sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** What top-k leaves: of equal scores at the border the lower ids, or all. */
function likeliest(row: VocabularyScores, { topK, topKRule }: Sampling): number[] {
  const ids = ranked(row, topK);
  if (topKRule === 'exact' || ids.length <= topK) return ids.slice(0, topK);
  const least = row.scores[ids[topK - 1]!]!;
  return ids.filter((id) => row.scores[id]! >= least);
}

const sumOf = ({ shares }: VocabularyScores, ids: readonly number[]): number =>
  ids.reduce((total, id) => total + shares[id]!, 0);

function normalised(row: VocabularyScores, kept: readonly number[]): KeptTokens {
  const sum = sumOf(row, kept);
  const ids = kept.toSorted((a, b) => a - b);
  return { ids, probabilities: ids.map((id) => row.shares[id]! / sum) };
}

/** How many of the ranked ids top-p and min-p keep. */
function keptCount(row: VocabularyScores, ids: readonly number[], sum: number, sampling: Sampling): number {
  if (!cutsByProbability(sampling)) return ids.length;
  const probabilities = ids.map((id) => row.shares[id]! / sum);
  return Math.min(topPCount(probabilities, sampling), minPCount(probabilities, sampling.minP));
}

/** How many of the sorted probabilities top-p keeps, at least one. */
function topPCount(probabilities: readonly number[], { topP, topPRule }: Sampling): number {
  if (topP === 0 || (topP === 1 && topPRule !== 'exclusive')) return probabilities.length;
  let cumulative = 0;
  let count = 0;
  for (const probability of probabilities) {
    if (topPRule === 'nucleus' && cumulative >= topP) break;
    if (topPRule === 'inclusive' && cumulative > topP) break;
    cumulative += probability;
    // The sum of all is 1 but for rounding, and rounding must not decide whether the last token stays.
    if (topPRule === 'exclusive' && cumulative > topP + 1e-9) break;
    count += 1;
  }
  return Math.max(1, count);
}

function minPCount(probabilities: readonly number[], minP: number): number {
  const threshold = probabilities[0]! * minP;
  const cut = probabilities.findIndex((probability) => probability < threshold);
  return cut < 0 ? probabilities.length : cut;
}
