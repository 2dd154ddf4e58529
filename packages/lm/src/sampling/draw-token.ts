import type { Rng } from '@palimpsest/tensor-core';
import { exponentials } from './exponentials.js';
import { best, drawsFromAll, nextTokenDistribution } from './next-token-distribution.js';
import { nthLargest } from './nth-largest.js';
import type { Sampling } from './sampling-options.js';

export interface DrawnToken {
  readonly id: number;
  /** Log-probability of the token under the model: log-softmax of the plain logits, in nats. */
  readonly logProbability: number;
}

/**
 * Draws an index with the given probabilities; uses one uniform number.
 * @param sum of the probabilities, for weights that are not normalised. Default 1
 */
export function drawIndex(probabilities: ArrayLike<number>, rng: Rng, sum = 1): number {
  const threshold = rng.uniform() * sum;
  let cumulative = 0;
  let last = 0;
  for (let index = 0; index < probabilities.length; index++) {
    if (!(probabilities[index]! > 0)) continue;
    cumulative += probabilities[index]!;
    if (threshold < cumulative) return index;
    last = index;
  }
  return last;
}

/** Probabilities of the latest draw: between two tokens of a small model a new array would cost as much as the draw. */
let room = new Float64Array(0);

/** Draws the next token. The most likely one (temperature 0) uses no random number. */
export function drawToken(
  logits: ArrayLike<number>,
  sampling: Sampling,
  rng: Rng,
  history: ArrayLike<number> = [],
): DrawnToken {
  if (room.length !== logits.length) room = new Float64Array(logits.length);
  if (drawsFromAll(sampling, logits.length)) return drawFromAll(logits, sampling.temperature, rng);
  const probabilities = nextTokenDistribution(logits, sampling, history, room);
  const id = sampling.temperature === 0 ? probabilities.indexOf(1) : drawIndex(probabilities, rng);
  return { id, logProbability: logits[id]! - logSumExp(logits) };
}

/** The same in one pass of exponentials, which are most of a draw from a large vocabulary. */
function drawFromAll(logits: ArrayLike<number>, temperature: number, rng: Rng): DrawnToken {
  const weights = room;
  const largest = logits[best(logits)]!;
  const sum = exponentials(logits, largest, temperature, weights);
  const id = drawIndex(weights, rng, sum);
  const normaliser = temperature === 1 ? largest + Math.log(sum) : logSumExp(logits);
  return { id, logProbability: logits[id]! - normaliser };
}

/** The most likely tokens under the model with their log-probabilities, lower ids first among equals. */
export function topTokens(logits: ArrayLike<number>, count: number): DrawnToken[] {
  const normaliser = logSumExp(logits);
  // Sorting a whole vocabulary costs more than a small model's token.
  const least = count > 0 && count < logits.length ? nthLargest(logits, count) : -Infinity;
  const best: DrawnToken[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! >= least) best.push({ id, logProbability: logits[id]! - normaliser });
  }
  return best.sort((a, b) => b.logProbability - a.logProbability || a.id - b.id).slice(0, count);
}

function logSumExp(values: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, values[i]!);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - largest);
  return largest + Math.log(sum);
}
