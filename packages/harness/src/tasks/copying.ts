import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { z } from 'zod';

/** Ids: 0 blank, 1 the mark that asks for the copy, data from 2. */
const MARK = 1;
const FIRST = 2;

/**
 * Draws copying: data tokens, the mark, then blanks at which the data are expected in order. With `spread` above the number
 * of data tokens these stand at random places among as many blanks: selective copying (Gu & Dao 2023).
 */
export function drawCopying(symbols: number, count: number, spread = count): Draw {
  return (rng) => {
    const { inputs, targets } = blankExample(spread + count, 0);
    const places = spread === count ? undefined : rng.permutation(spread).subarray(0, count).sort();
    for (let index = 0; index < count; index++) {
      const token = FIRST + rng.int(symbols);
      inputs[places ? places[index]! : index] = token;
      // The mark itself asks for the first token, each blank behind it for the next.
      targets[spread + index] = token;
    }
    inputs[spread] = MARK;
    return { inputs, targets };
  };
}

const symbols = z.int().min(2).default(16).describe('different data tokens');

/** Copying: the whole text, in order. */
export const copying = recallTask({
  name: 'copying',
  title: 'Copying',
  description:
    'Random tokens are read, then must be repeated in order, without being seen again: how many tokens does the memory hold? Asked at longer texts too.',
  shape: {
    symbols,
    count: z.int().min(1).default(16).describe('tokens to copy in training'),
    factors: z.array(z.int().min(1)).default([1, 2]).describe('test counts in units of it'),
  },
  plan({ symbols: kinds, count, factors }) {
    const asking = (tokens: number) => ({
      slice: { tokens },
      length: 2 * tokens,
      draw: drawCopying(kinds, tokens),
    });
    return {
      vocabSize: FIRST + kinds,
      training: [asking(count)],
      testing: factors.map((factor) => ({ ...asking(factor * count), beyondTraining: factor > 1 })),
      chance: 1 / kinds,
    };
  },
});

/** Selective copying: the data tokens only, however many blanks stand between them. */
export const selectiveCopying = recallTask({
  name: 'selective-copying',
  title: 'Selective copying',
  description:
    'Data tokens stand at random places among blanks and must be repeated in order afterwards: the memory has to leave the blanks out (Gu & Dao 2023). Published definition: 16 data tokens in 4096.',
  shape: {
    symbols,
    count: z.int().min(1).default(8).describe('data tokens'),
    spread: z.int().min(1).default(48).describe('places they stand at in training'),
    factors: z.array(z.int().min(1)).default([1, 2, 4]).describe('test spreads in units of it'),
  },
  plan({ symbols: kinds, count, spread, factors }) {
    const asking = (places: number) => ({
      slice: { length: places + count },
      length: places + count,
      draw: drawCopying(kinds, count, places),
    });
    return {
      vocabSize: FIRST + kinds,
      training: [asking(spread)],
      testing: factors.map((factor) => ({ ...asking(factor * spread), beyondTraining: factor > 1 })),
      chance: 1 / kinds,
    };
  },
});
