import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { z } from 'zod';

/**
 * Draws the induction task of Gu & Dao 2023 (Mamba): random tokens among which a special one stands once, and again as the
 * last token; what followed it the first time is expected. Id 0 is the special token.
 */
export function drawInduction(vocabSize: number, length: number): Draw {
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    for (let at = 0; at < length - 1; at++) inputs[at] = 1 + rng.int(vocabSize - 1);
    const at = rng.int(length - 2);
    inputs[at] = 0;
    targets[length - 1] = inputs[at + 1]!;
    return { inputs, targets };
  };
}

/** Induction: what followed the special token the last time it stood there? */
export const induction = recallTask({
  name: 'induction',
  title: 'Induction heads',
  description:
    'One special token stands somewhere in random text and again at its end; the token that followed it must be repeated (Gu & Dao 2023). Asked at lengths far beyond training. Published definition: vocabulary 16, trained at 256, tested to 2^20.',
  shape: {
    vocabSize: z.int().min(3).default(16).describe('token ids'),
    trainLength: z.int().min(3).default(64).describe('tokens of a training sequence'),
    factors: z.array(z.int().min(1)).default([1, 2, 4, 8]).describe('test lengths in units of it'),
  },
  plan({ vocabSize, trainLength, factors }) {
    const asking = (length: number) => ({
      slice: { length },
      length,
      draw: drawInduction(vocabSize, length),
    });
    return {
      vocabSize,
      training: [asking(trainLength)],
      testing: factors.map((factor) => ({ ...asking(factor * trainLength), beyondTraining: factor > 1 })),
      chance: 1 / (vocabSize - 1),
    };
  },
});
