/** How the next id is drawn (osam.md 7). */
export interface SamplingOptions {
  /** Divides the logits; default 1. Values below 1e-6 count as 1e-6. */
  readonly temperature?: number;
  /** Keep this many of the likeliest ids; 0 keeps all. */
  readonly topK?: number;
  /** Keep the likeliest ids up to this probability; 0 keeps all. */
  readonly topP?: number;
  /** Whether top-p keeps the id that crosses the threshold ('nucleus', default) or not ('exclusive'). */
  readonly topPRule?: 'nucleus' | 'exclusive';
}

/** Ids by falling probability, the lower id first among equals. */
function byProbability(probabilities: Float64Array): number[] {
  return Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
}

function renormalize(probabilities: Float64Array): void {
  const total = probabilities.reduce((sum, p) => sum + p, 0);
  for (let id = 0; id < probabilities.length; id++) probabilities[id]! /= total;
}

function softmax(logits: ArrayLike<number>, temperature: number): Float64Array {
  const scaled = Float64Array.from(logits, (logit) => logit / Math.max(1e-6, temperature));
  const largest = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
  const probabilities = scaled.map((logit) => Math.exp(logit - largest));
  renormalize(probabilities);
  return probabilities;
}

/** Probabilities [vocabSize] of the next id after temperature, top-k and top-p. */
export function samplingProbabilities(
  logits: ArrayLike<number>,
  { temperature = 1, topK = 0, topP = 0, topPRule = 'nucleus' }: SamplingOptions = {},
): Float64Array {
  const probabilities = softmax(logits, temperature);
  if (topK > 0 && topK < probabilities.length) {
    for (const id of byProbability(probabilities).slice(topK)) probabilities[id] = 0;
    renormalize(probabilities);
  }
  if (topP > 0) {
    for (const id of beyondTopP(probabilities, topP, topPRule)) probabilities[id] = 0;
    renormalize(probabilities);
  }
  return probabilities;
}

/** Ids that top-p drops. Sums that exceed 1 by rounding count as 1, so that topP = 1 drops nothing. */
function beyondTopP(probabilities: Float64Array, topP: number, rule: 'nucleus' | 'exclusive'): number[] {
  let before = 0;
  return byProbability(probabilities).filter((id, rank) => {
    const until = before + probabilities[id]!;
    const reached = rule === 'nucleus' ? before >= topP : Math.min(1, until) > topP;
    before = until;
    return rank > 0 && reached;
  });
}

/** The likeliest id, the lowest among equals. */
export function greedyId(logits: ArrayLike<number>): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}

/**
 * Draws an id with the given probabilities.
 * @param uniform a number in [0, 1).
 */
export function drawId(probabilities: ArrayLike<number>, uniform: number): number {
  let sum = 0;
  let last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    sum += probabilities[id]!;
    last = id;
    if (uniform < sum) return id;
  }
  return last;
}
