import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { z } from 'zod';
import { type KeyValue, layoutNeedles, NEEDLE, needleVocabulary, QUESTION } from './needle-layout.js';

/** Draws a haystack of `length` tokens with one of its keys as the question; pairs are made anew, so that none is learned. */
export function drawNeedle(length: number, needles: number, fillers: number): Draw {
  const vocabulary = needleVocabulary(fillers + 2 * needles + NEEDLE, needles);
  const { keyIds, valueIds, lastFiller } = vocabulary;
  return (rng) => {
    const values = Array.from(rng.permutation(needles), (index) => valueIds[index]!);
    const order = Array.from(rng.permutation(needles));
    const pairs = order.map((index): KeyValue => [keyIds[index]!, values[index]!]);
    const [key, answer] = pairs[rng.int(needles)]!;
    const { inputs, targets } = blankExample(length, 0);
    inputs.set(layoutNeedles(vocabulary, pairs, key, length, () => 1 + rng.int(lastFiller)));
    targets[length - 1] = answer;
    return { inputs, targets };
  };
}

const lengths = z.array(z.int().min(NEEDLE + QUESTION));

/** Several needles in a haystack: pairs of key and value between runs of filler, then one of the keys. */
export const needle = recallTask({
  name: 'needle',
  title: 'Needles in a haystack',
  description:
    'Pairs of key and value stand between runs of filler, then one key is asked. Pairs are drawn anew for every text, so that they must be read; published with one pairing for all texts, which can be learned by heart.',
  shape: {
    needles: z.int().min(1).default(5).describe('pairs that are told'),
    fillers: z.int().min(1).default(16).describe('different filler tokens'),
    train: lengths.default([32, 40, 48]).describe('tokens of the haystacks of training'),
    test: lengths
      .default([32, 48, 64, 128])
      .describe(
        'tokens of the haystacks that are asked; those longer than in training do not count for the headline',
      ),
  },
  defaults: { steps: 600 },
  plan({ needles, fillers, train, test }) {
    const asking = (length: number) => ({
      slice: { length },
      length,
      draw: drawNeedle(length, needles, fillers),
    });
    return {
      vocabSize: fillers + 2 * needles + NEEDLE,
      training: train.map(asking),
      testing: test.map((length) => ({ ...asking(length), beyondTraining: length > Math.max(...train) })),
      chance: 1 / needles,
    };
  },
});
