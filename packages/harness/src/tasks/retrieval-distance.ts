import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { z } from 'zod';

/** Tokens beside the filler between: key and value, then the question mark and the key. */
const TOLD = 2;
const ASKED = 2;
/** Filler before the pair, so that it never stands among the first tokens, which some models keep whatever they are. */
const LEAD = 16;

export interface RetrievalShape {
  readonly keys: number;
  readonly values: number;
  readonly fillers: number;
}

/**
 * Draws retrieval at distance: a pair of key and value, `distance` fillers, a question mark, the key; the value is expected.
 * Pairs are drawn anew for every sequence. Ids: keys, values, fillers, question mark.
 * @param length filler stands before the pair when the whole is longer
 */
export function drawRetrieval(
  { keys, values, fillers }: RetrievalShape,
  distance: number,
  length: number,
): Draw {
  const firstFiller = keys + values;
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    for (let at = 0; at < length; at++) inputs[at] = firstFiller + rng.int(fillers);
    const key = rng.int(keys);
    const value = keys + rng.int(values);
    inputs.set([key, value], length - ASKED - distance - TOLD);
    inputs.set([firstFiller + fillers, key], length - ASKED);
    targets[length - 1] = value;
    return { inputs, targets };
  };
}

/** Retrieval at distance: how far back does the memory reach? */
export const retrievalDistance = recallTask({
  name: 'retrieval-distance',
  title: 'Retrieval at distance',
  description:
    'One pair of key and value, filler, then the key: its value must follow. The distance is the number of tokens between value and question; training mixes distances up to the first, testing goes far beyond, the text streamed through the memory.',
  shape: {
    keys: z.int().min(1).default(1).describe('different keys; with one, only the value has to be kept'),
    values: z.int().min(2).default(16).describe('different values'),
    fillers: z.int().min(1).default(8).describe('different filler tokens'),
    trainDistance: z.int().min(0).default(48).describe('longest distance of training'),
    distances: z
      .array(z.int().min(0))
      .default([8, 48, 96, 192, 384, 768])
      .describe('distances that are asked'),
  },
  plan({ trainDistance, distances, ...shape }) {
    const length = trainDistance + TOLD + ASKED;
    const near = (distance: number) => ({
      slice: { distance },
      length,
      draw: drawRetrieval(shape, distance, length),
    });
    return {
      vocabSize: shape.keys + shape.values + shape.fillers + 1,
      training: Array.from({ length: trainDistance + 1 }, (_, distance) => near(distance)),
      testing: distances.map((distance) => {
        const whole = Math.max(length, LEAD + TOLD + distance + ASKED);
        return {
          slice: { distance },
          length: whole,
          draw: drawRetrieval(shape, distance, whole),
          beyondTraining: distance > trainDistance,
        };
      }),
      chance: 1 / shape.values,
    };
  },
});
