import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { InputError, type Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** Exponent of the law by which queries stand early rather than late: p(i) ∝ i^(a - 1). */
const PLACEMENT = 0.01;

export interface MqarShape {
  readonly vocabSize: number;
  readonly length: number;
  readonly pairs: number;
  /** Random tokens instead of zeros where neither pairs nor queries stand. */
  readonly randomNonQueries: boolean;
}

/**
 * Draws multi-query associative recall as in Arora et al. 2023 (Zoology): the first 2 N tokens are pairs of key and value,
 * both without replacement; in the rest every key appears once more, at even offsets drawn without replacement with
 * p(i) ∝ i^(a-1), a = 0.01. The value is expected after the key. Keys come from 1 … V/2 - 1, values from V/2 … V - 1, 0 is
 * filler.
 * @throws InputError when 4 N exceeds the length or there are too few keys.
 */
export function drawMqar({ vocabSize, length, pairs, randomNonQueries }: MqarShape): Draw {
  const half = Math.floor(vocabSize / 2);
  if (4 * pairs > length) {
    throw new InputError(
      `MQAR with ${pairs} pairs needs at least ${4 * pairs} tokens, but the length is ${length}.`,
    );
  }
  if (pairs > half - 1) {
    throw new InputError(
      `MQAR with ${pairs} pairs needs a vocabulary above ${2 * pairs + 1}, but it is ${vocabSize}.`,
    );
  }
  const slots = Math.floor((length - 2 * pairs) / 2);
  const weights = Float64Array.from({ length: slots }, (_, slot) => (slot + 1) ** (PLACEMENT - 1));
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    if (randomNonQueries) for (let at = 0; at < length; at++) inputs[at] = rng.int(vocabSize);
    const keys = rng.permutation(half - 1).subarray(0, pairs);
    const values = rng.permutation(vocabSize - half).subarray(0, pairs);
    const places = drawWithoutReplacement(rng, weights, pairs);
    for (let pair = 0; pair < pairs; pair++) {
      const [key, value] = [1 + keys[pair]!, half + values[pair]!];
      inputs.set([key, value], 2 * pair);
      const at = 2 * pairs + 2 * places[pair]!;
      inputs[at] = key;
      targets[at] = value;
    }
    return { inputs, targets };
  };
}

/** Different indices, each draw proportional to the weights that are left. */
export function drawWithoutReplacement(rng: Rng, weights: Float64Array, count: number): number[] {
  const left = weights.slice();
  return Array.from({ length: count }, () => {
    let remaining = rng.uniform() * left.reduce((sum, weight) => sum + weight, 0);
    let chosen = left.findLastIndex((weight) => weight > 0);
    for (let index = 0; index < left.length; index++) {
      remaining -= left[index]!;
      if (remaining < 0 && left[index]! > 0) {
        chosen = index;
        break;
      }
    }
    left[chosen] = 0;
    return chosen;
  });
}

const place = z.tuple([z.int().min(4), z.int().min(1)]);

/** Multi-query associative recall, sliced by length and number of pairs. */
export const mqar = recallTask({
  name: 'mqar',
  title: 'Multi-query associative recall',
  description:
    'Pairs of key and value are told, then every key is asked once, rather early than late; the value must follow it (Arora et al. 2023). Pairs are drawn anew for every sequence. Published definition: vocabulary 8192, (length, pairs) = (64, 4), (128, 8), (256, 16), (512, 64).',
  shape: {
    vocabSize: z.int().min(8).default(64).describe('token ids; keys are the lower half'),
    train: z
      .array(place)
      .default([[32, 4]])
      .describe('(length, pairs) of training'),
    test: z
      .array(place)
      .default([
        [32, 4],
        [32, 8],
      ])
      .describe('(length, pairs) that are asked; those not trained on do not count for the headline'),
    randomNonQueries: z.boolean().default(false).describe('random tokens as filler, instead of zeros'),
  },
  plan({ vocabSize, train, test, randomNonQueries }) {
    const asking = ([length, pairs]: readonly [number, number]) => ({
      slice: { length, pairs },
      length,
      draw: drawMqar({ vocabSize, length, pairs, randomNonQueries }),
    });
    const isTrained = ([length, pairs]: readonly [number, number]) =>
      train.some(([l, p]) => l === length && p === pairs);
    return {
      vocabSize,
      training: train.map(asking),
      testing: test.map((shape) => ({ ...asking(shape), beyondTraining: !isTrained(shape) })),
      chance: 1 / (vocabSize - Math.floor(vocabSize / 2)),
    };
  },
});
