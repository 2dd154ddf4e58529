import type { Rng } from '@palimpsest/tensor-core';
import { cutsOff, keptTokens, ranked } from './kept-tokens.js';
import { adjust } from './next-token-distribution.js';
import type { Sampling } from './sampling-options.js';
import { indexAt, type VocabularyScores, vocabularyScores } from './vocabulary-scores.js';

export interface DrawnToken {
  readonly id: number;
  /** Log-probability of the token under the model: log-softmax of the plain logits, in nats. */
  readonly logProbability: number;
}

/** Draws the next token. The most likely one (temperature 0) uses no random number. */
export function drawToken(
  logits: ArrayLike<number>,
  sampling: Sampling,
  rng: Rng,
  history: ArrayLike<number> = [],
): DrawnToken {
  const scores = vocabularyScores(logits);
  const normaliser = scores.logSum();
  adjust(scores, sampling, history);
  const id = drawId(scores, sampling, rng);
  return { id, logProbability: logits[id]! - normaliser };
}

/** Uses one uniform number. */
function drawId(scores: VocabularyScores, sampling: Sampling, rng: Rng): number {
  const likeliest = scores.likeliest();
  if (sampling.temperature === 0) return likeliest;
  if (cutsOff(sampling, scores.count)) {
    const { ids, probabilities } = keptTokens(scores, sampling);
    return ids[indexAt(probabilities, rng.uniform())]!;
  }
  scores.share(sampling.temperature);
  return scores.idAt(rng.uniform());
}

/** The most likely tokens under the model with their log-probabilities, lower ids first among equals. @throws InputError when a logit is NaN. */
export function topTokens(logits: ArrayLike<number>, count: number): DrawnToken[] {
  if (count <= 0) return [];
  const scores = vocabularyScores(logits);
  // Throws for what is no number.
  scores.likeliest();
  const normaliser = scores.logSum();
  const ids = ranked(scores, count).slice(0, count);
  return ids.map((id) => ({ id, logProbability: logits[id]! - normaliser }));
}
