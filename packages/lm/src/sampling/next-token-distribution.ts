import { InputError } from '@palimpsest/tensor-core';
import { exponentials } from './exponentials.js';
import { nthLargest } from './nth-largest.js';
import type { Sampling } from './sampling-options.js';

/**
 * Distribution that the next token is drawn from. Fixed order: (1) ids that only pad the vocabulary −∞; (2) banned ids −∞,
 * repetition, frequency and presence penalties; (3) division by the temperature, where 0 leaves only the largest logit;
 * (4) top-k, exactly k unless ties shall stay; (5) top-p over the softmax of what is left; (6) min-p; (7) renormalisation. Of equal logits the
 * lower id goes first everywhere.
 * @param logits [vocabSize].
 * @param history the tokens that penalties look at.
 * @param into [vocabSize], takes the result; default a new array.
 * @returns probabilities [vocabSize], zero for what was cut.
 * @throws InputError when nothing can be drawn, or a logit is NaN.
 */
export function nextTokenDistribution(
  logits: ArrayLike<number>,
  sampling: Sampling,
  history: ArrayLike<number> = [],
  into: Float64Array = new Float64Array(logits.length),
): Float64Array {
  const scores = into;
  scores.set(logits);
  mask(scores, sampling);
  penalise(scores, sampling, history);
  const likeliest = best(scores);
  if (sampling.temperature === 0) return scores.fill(0).fill(1, likeliest, likeliest + 1);
  if (cutsByProbability(sampling)) return cut(scores, sampling);
  keepLargest(scores, sampling);
  return softmaxOf(scores, scores[likeliest]!, sampling.temperature);
}

/** Whether top-p or min-p is at work, which need an order: putting a vocabulary in order costs more than a small model's token. */
const cutsByProbability = ({ topP, topPRule, minP }: Sampling) =>
  minP > 0 || (topP > 0 && (topP < 1 || topPRule === 'exclusive'));

/** Whether every token can be drawn, with the probability that the temperature gives it. */
export const drawsFromAll = (sampling: Sampling, size: number): boolean =>
  sampling.temperature > 0 &&
  (sampling.topK === 0 || sampling.topK >= size) &&
  sampling.paddedFrom === undefined &&
  sampling.bannedIds.length === 0 &&
  !cutsByProbability(sampling) &&
  !looksBack(sampling);

/** The probabilities that top-k, top-p and min-p leave. */
function cut(scores: Float64Array, sampling: Sampling): Float64Array {
  let kept = rank(scores, sampling);
  const largest = scores[kept[0]!]!;
  let probabilities = normalise(kept.map((id) => weightOf(scores[id]!, largest, sampling.temperature)));
  const count = Math.min(topPCount(probabilities, sampling), minPCount(probabilities, sampling.minP));
  kept = kept.slice(0, count);
  probabilities = probabilities.slice(0, count);
  const sum = probabilities.reduce((total, probability) => total + probability, 0);
  scores.fill(0);
  kept.forEach((id, index) => {
    scores[id] = probabilities[index]! / sum;
  });
  return scores;
}

/** Probabilities in the place of scores: between two tokens of a small model, arrays and closures would cost more than the sums. */
function softmaxOf(scores: Float64Array, largest: number, temperature: number): Float64Array {
  const sum = exponentials(scores, largest, temperature, scores);
  for (let id = 0; id < scores.length; id++) scores[id]! /= sum;
  return scores;
}

/** Leaves the `topK` largest scores, of equal ones at the border the lower ids or all, and takes the rest out. */
function keepLargest(scores: Float64Array, { topK, topKRule }: Sampling): void {
  if (topK === 0 || topK >= scores.length) return;
  const least = nthLargest(scores, topK);
  let atBorder = topKRule === 'ties' ? Infinity : topK;
  for (const score of scores) if (score > least) atBorder -= 1;
  for (let id = 0; id < scores.length; id++) {
    if (scores[id]! > least) continue;
    if (scores[id]! < least || atBorder <= 0) scores[id] = -Infinity;
    else atBorder -= 1;
  }
}

function mask(scores: Float64Array, { paddedFrom, bannedIds }: Sampling): void {
  if (paddedFrom !== undefined) scores.fill(-Infinity, paddedFrom);
  for (const id of bannedIds) if (id < scores.length) scores[id] = -Infinity;
}

/** Whether what was read counts for the draw. */
export const looksBack = ({ repetitionPenalty, frequencyPenalty, presencePenalty }: Sampling): boolean =>
  repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;

function penalise(scores: Float64Array, sampling: Sampling, history: ArrayLike<number>): void {
  if (!looksBack(sampling)) return;
  const { repetitionPenalty, frequencyPenalty, presencePenalty } = sampling;
  const counts = new Map<number, number>();
  for (const id of Array.from(history)) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) {
    const score = scores[id];
    if (score === undefined || score === -Infinity) continue;
    const repeated = score > 0 ? score / repetitionPenalty : score * repetitionPenalty;
    scores[id] = repeated - count * frequencyPenalty - presencePenalty;
  }
}

/** The id with the largest score, the lowest among equals. @throws InputError when a score is no number, or none can be drawn. */
export function best(scores: ArrayLike<number>): number {
  let result = 0;
  let largest = -Infinity;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    if (score > largest) [result, largest] = [id, score];
    else if (Number.isNaN(score)) {
      throw new InputError(`The logit of token ${id} is NaN; the model has diverged.`);
    }
  }
  if (largest > -Infinity) return result;
  throw new InputError('Every token is banned or padded, so none can be drawn; allow at least one.');
}

/** Ids that can be drawn, the largest score first, the lower id first among equals; the `topK` first when that is not 0. */
function rank(scores: Float64Array, { topK, topKRule }: Sampling): number[] {
  // Sorting costs more than a small model's token: with a vocabulary of 150,000 this leaves few ids to sort.
  const least = topK > 0 && topK < scores.length ? nthLargest(scores, topK) : -Infinity;
  const ids: number[] = [];
  scores.forEach((score, id) => {
    if (score !== -Infinity && score >= least) ids.push(id);
  });
  ids.sort((a, b) => scores[b]! - scores[a]! || a - b);
  return topK > 0 && topKRule === 'exact' ? ids.slice(0, topK) : ids;
}

/** The share of a score beside the largest one, which may be infinite; a quotient by a small temperature would be, too. */
const weightOf = (score: number, largest: number, temperature: number) =>
  score === largest ? 1 : Math.exp((score - largest) / temperature);

function normalise(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
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
