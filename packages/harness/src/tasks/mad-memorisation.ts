import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';

/**
 * Draws MAD's memorisation (Poli et al. 2024): keys alternate with a placeholder at which the value of the key before it is
 * expected, under one map for all sequences, which therefore must be learned by heart. Ids: placeholder, keys, values.
 */
export function drawMemorisation(pairs: number, length: number, mapSeed: number): Draw {
  const values = Rng.fromSeed(mapSeed).permutation(pairs);
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    for (let at = 0; at + 1 < length; at += 2) {
      const key = rng.int(pairs);
      inputs[at] = 1 + key;
      targets[at + 1] = 1 + pairs + values[key]!;
    }
    return { inputs, targets };
  };
}

/** MAD: what the weights hold, not the memory. */
export const madMemorisation = recallTask({
  name: 'mad-memorisation',
  title: 'MAD: memorisation',
  description:
    'Every key has a fixed value for all sequences, asked at the placeholder behind it: the weights must learn the map by heart (Poli et al. 2024). Published definition: vocabulary 256, length 32.',
  shape: {
    pairs: z.int().min(1).default(127).describe('keys, each with a value'),
    length: z.int().min(2).default(32).describe('tokens of a sequence'),
    mapSeed: z.int().min(0).default(1).describe('seed of the map'),
  },
  plan({ pairs, length, mapSeed }) {
    const asking = { slice: { length }, length, draw: drawMemorisation(pairs, length, mapSeed) };
    return { vocabSize: 1 + 2 * pairs, training: [asking], testing: [asking], chance: 1 / pairs };
  },
});
