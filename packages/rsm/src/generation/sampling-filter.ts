import { drawIndex } from '@palimpsest/lm';
import { InputError, type Rng } from '@palimpsest/tensor-core';

/** How the next token is drawn, by the reference's rules. */
export interface RsmSampling {
  /** Divides the logits; 0 takes the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Keep the k largest logits and all that equal the k-th. Default: all. */
  readonly topK?: number;
  /** After topK: drop a token when those before it have more than this probability. 0 keeps one. Default: all. */
  readonly topP?: number;
}

/** @throws InputError naming the option that does not fit. */
export function checkSampling({ temperature = 1, topK, topP }: RsmSampling, vocabSize: number): void {
  if (!(temperature >= 0 && Number.isFinite(temperature))) {
    throw new InputError(`The temperature is 0 (greedy) or more, but ${temperature} was given.`);
  }
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1 && topK <= vocabSize)) {
    throw new InputError(
      `topK is a whole number from 1 to the vocabulary size ${vocabSize}, but ${topK} was given.`,
    );
  }
  if (topP !== undefined && !(topP >= 0 && topP <= 1)) {
    throw new InputError(`topP is a probability from 0 to 1, but ${topP} was given.`);
  }
}

/**
 * The distribution that the next token is drawn from (rsm.md 6): logits by the temperature, top-k with all ties at its
 * border, top-p over the softmax of what is left, softmax. Equal logits count in the order of their ids. This differs from
 * `nextTokenDistribution` of `@palimpsest/lm`, whose top-k keeps exactly k and whose top-p of 0 keeps all.
 * @param logits [vocabSize]
 * @returns probabilities [vocabSize]
 * @throws InputError for options out of range.
 */
export function rsmDistribution(logits: ArrayLike<number>, sampling: RsmSampling = {}): Float64Array {
  checkSampling(sampling, logits.length);
  const { temperature = 1, topK = logits.length, topP } = sampling;
  const sorted = Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const result = new Float64Array(logits.length);
  if (temperature === 0) {
    result[sorted[0]!] = 1;
    return result;
  }
  const border = logits[sorted[topK - 1]!]!;
  const largest = logits[sorted[0]!]!;
  const kept = sorted.filter((id) => logits[id]! >= border);
  const weights = kept.map((id) => Math.exp((logits[id]! - largest) / temperature));
  const count = topP === undefined ? kept.length : nucleusSize(weights, topP);
  const total = sum(weights.slice(0, count));
  for (let index = 0; index < count; index++) result[kept[index]!] = weights[index]! / total;
  return result;
}

/** How many of the sorted weights stay: the first always, another while those before it have at most `topP`. */
function nucleusSize(weights: readonly number[], topP: number): number {
  const total = sum(weights);
  let before = 0;
  const cut = weights.findIndex((weight, index) => {
    const isDropped = index > 0 && before / total > topP;
    before += weight;
    return isDropped;
  });
  return cut < 0 ? weights.length : cut;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Draws the next token; the greedy one uses no random number. */
export function drawRsmToken(logits: ArrayLike<number>, sampling: RsmSampling, rng: Rng): number {
  const probabilities = rsmDistribution(logits, sampling);
  return sampling.temperature === 0 ? probabilities.indexOf(1) : drawIndex(probabilities, rng);
}
