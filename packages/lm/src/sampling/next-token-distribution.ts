import { cutsOff, keptTokens } from './kept-tokens.js';
import type { Sampling } from './sampling-options.js';
import { type VocabularyScores, vocabularyScores } from './vocabulary-scores.js';

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
  const scores = vocabularyScores(logits);
  adjust(scores, sampling, history);
  const likeliest = scores.likeliest();
  const result = new Float64Array(logits.length);
  if (sampling.temperature === 0) result[likeliest] = 1;
  else if (cutsOff(sampling, logits.length)) {
    const { ids, probabilities } = keptTokens(scores, sampling);
    ids.forEach((id, index) => {
      result[id] = probabilities[index]!;
    });
  } else {
    const sum = scores.share(sampling.temperature);
    for (let id = 0; id < result.length; id++) result[id] = scores.shares[id]! / sum;
  }
  return result;
}

/** Takes out what is never drawn, and what was read counts against. */
export function adjust(row: VocabularyScores, sampling: Sampling, history: ArrayLike<number>): void {
  const { paddedFrom, bannedIds } = sampling;
  const isPadded = paddedFrom !== undefined && paddedFrom < row.count;
  if (!isPadded && bannedIds.length === 0 && !looksBack(sampling)) return;
  const { scores, count } = row;
  if (isPadded) scores.fill(-Infinity, paddedFrom, count);
  for (const id of bannedIds) if (id < count) scores[id] = -Infinity;
  if (looksBack(sampling)) penalise(scores.subarray(0, count), sampling, history);
  row.changed();
}

/** Whether what was read counts for the draw. */
export const looksBack = ({ repetitionPenalty, frequencyPenalty, presencePenalty }: Sampling): boolean =>
  repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;

function penalise(scores: Float64Array, sampling: Sampling, history: ArrayLike<number>): void {
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
