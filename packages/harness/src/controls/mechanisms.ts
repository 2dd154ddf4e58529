import { defineContender, type Mechanism, type ModelNeed, NgramModel } from '@palimpsest/lm';
import { z } from 'zod';
import { type ControlOptions, createControlModel } from './control-model.js';

const controlled = z.strictObject({
  width: z.int().min(8).default(64).describe('width of the residual stream'),
  layers: z.int().min(1).default(2).describe('blocks'),
  heads: z.int().min(1).default(4).describe('heads of every block'),
  taps: z.int().min(1).default(4).describe('taps of the causal convolution'),
});

function control(
  { vocabSize }: ModelNeed,
  mixer: ControlOptions['mixer'],
  given: z.output<typeof controlled>,
) {
  return createControlModel({ ...given, vocabSize, mixer, forgetting: 'none' });
}

/** The plainest memory that is a matrix. */
export const linearAttention: Mechanism = {
  name: 'linear-attention',
  title: 'Linear attention',
  description: 'Plain linear attention (Katharopoulos et al. 2020) behind a short convolution.',
  memory: 'fixed',
  contenders: [
    defineContender({
      name: 'linear-attention',
      title: 'Linear attention',
      mechanism: 'linear-attention',
      description: 'Plain linear attention (Katharopoulos et al. 2020) behind a short convolution.',
      kind: 'trained',
      options: controlled,
      learningRate: 3e-3,
      create: (need, given) => control(need, 'linear', given),
    }),
  ],
};

/** What can be done without a memory. */
export const noMemory: Mechanism = {
  name: 'no-memory',
  title: 'No memory',
  description: 'A block without attention, which sees the last few tokens through its convolution only.',
  memory: 'none',
  contenders: [
    defineContender({
      name: 'no-memory',
      title: 'No memory',
      mechanism: 'no-memory',
      description:
        'The same block without attention: it sees the last few tokens through its convolution only.',
      kind: 'trained',
      options: controlled,
      learningRate: 3e-3,
      create: (need, given) => control(need, 'none', given),
    }),
  ],
};

/** What can be done by counting. */
export const ngram: Mechanism = {
  name: 'ngram',
  title: 'n-gram table',
  description: 'Counts of the training text, interpolated (Witten & Bell 1991).',
  memory: 'none',
  contenders: [
    defineContender({
      name: 'ngram',
      title: 'n-gram table',
      mechanism: 'ngram',
      description:
        'Counts of the training text, interpolated (Witten & Bell 1991): the floor that a model must beat.',
      kind: 'counted',
      options: z.strictObject({ order: z.int().min(1).max(7).default(5).describe('longest n-gram') }),
      count(ids, vocabSize, { order }) {
        const table = new NgramModel(ids, { order, vocabSize });
        return { config: { order }, loss: (heldOut) => table.evaluate(heldOut)[order - 1]! };
      },
    }),
  ],
};
