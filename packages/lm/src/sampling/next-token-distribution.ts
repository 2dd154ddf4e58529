import { InputError } from '@palimpsest/tensor-core';
import { nthLargest } from './nth-largest.js';
import type { Sampling } from './sampling-options.js';

/**
 * Distribution that the next token is drawn from. Fixed order: (1) ids that only pad the vocabulary −∞; (2) banned ids −∞,
 * repetition, frequency and presence penalties; (3) division by the temperature, where 0 leaves only the largest logit;
 * (4) top-k, exactly k unless ties shall stay; (5) top-p over the softmax of what is left; (6) min-p; (7) renormalisation. Of equal logits the
 * lower id goes first everywhere.
 * @param logits [vocabSize].
 * @param history the tokens that penalties look at.
 * @returns probabilities [vocabSize], zero for what was cut.
 * @throws InputError when nothing can be drawn, or a logit is NaN.
 */
export function nextTokenDistribution(
  logits: ArrayLike<number>,
  sampling: Sampling,
  history: ArrayLike<number> = [],
): Float64Array {
  const scores = new Float64Array(logits);
  mask(scores, sampling);
  penalise(scores, sampling, history);
  check(scores);
  const result = new Float64Array(scores.length);
  if (sampling.temperature === 0) {
    result[best(scores)] = 1;
    return result;
  }
  if (keepsAll(sampling)) return softmaxOf(scores, sampling.temperature);
  let kept = rank(scores, sampling);
  let probabilities = softmax(kept.map((id) => scores[id]! / sampling.temperature));
  const count = Math.min(topPCount(probabilities, sampling), minPCount(probabilities, sampling.minP));
  kept = kept.slice(0, count);
  probabilities = probabilities.slice(0, count);
  const sum = probabilities.reduce((total, probability) => total + probability, 0);
  kept.forEach((id, index) => {
    result[id] = probabilities[index]! / sum;
  });
  return result;
}

/** Whether nothing is cut, so that no order is needed: sorting a vocabulary costs more than a small model's token. */
const keepsAll = ({ topK, topP, topPRule, minP }: Sampling) =>
  topK === 0 && minP === 0 && (topP === 0 || (topP === 1 && topPRule !== 'exclusive'));

function softmaxOf(scores: Float64Array, temperature: number): Float64Array {
  const largest = scores[best(scores)]!;
  const weights = scores.map((score) => (score === largest ? 1 : Math.exp((score - largest) / temperature)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function mask(scores: Float64Array, { paddedFrom, bannedIds }: Sampling): void {
  if (paddedFrom !== undefined) scores.fill(-Infinity, paddedFrom);
  for (const id of bannedIds) if (id < scores.length) scores[id] = -Infinity;
}

function penalise(scores: Float64Array, sampling: Sampling, history: ArrayLike<number>): void {
  const { repetitionPenalty, frequencyPenalty, presencePenalty } = sampling;
  if (repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0) return;
  const counts = new Map<number, number>();
  for (const id of Array.from(history)) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) {
    const score = scores[id];
    if (score === undefined || score === -Infinity) continue;
    const repeated = score > 0 ? score / repetitionPenalty : score * repetitionPenalty;
    scores[id] = repeated - count * frequencyPenalty - presencePenalty;
  }
}

/** The id with the largest score, the lowest among equals. */
function best(scores: Float64Array): number {
  let result = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[result]!) result = id;
  return result;
}

/** Says when a score is no number, or none can be drawn. */
function check(scores: Float64Array): void {
  let drawable = 0;
  scores.forEach((score, id) => {
    if (Number.isNaN(score)) throw new InputError(`The logit of token ${id} is NaN; the model has diverged.`);
    if (score !== -Infinity) drawable += 1;
  });
  if (drawable > 0) return;
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

function softmax(scores: readonly number[]): number[] {
  const largest = scores[0]!;
  const weights = scores.map((score) => (score === largest ? 1 : Math.exp(score - largest)));
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
