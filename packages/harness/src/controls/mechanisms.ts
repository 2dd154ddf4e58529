import { defineContender, type Mechanism, MOST_LAYERS, NgramModel } from '@palimpsest/lm';
import { z } from 'zod';
import { controlMechanism } from './control-mechanism.js';
import { gatedDeltaNetMixer } from './mixers/gated-delta-net.js';
import { gatedLinearAttentionMixer } from './mixers/gated-linear-attention.js';
import { linearAttentionMixer } from './mixers/linear-attention.js';
import { noMemoryMixer } from './mixers/no-memory.js';
import { gruMixer, lstmMixer } from './mixers/recurrent.js';
import { rwkv7Mixer } from './mixers/rwkv-7.js';
import { stateSpaceMixer } from './mixers/state-space.js';

const width = z.int().min(8).default(64).describe('width of the residual stream');
const layers = z.int().min(1).max(MOST_LAYERS).default(2).describe('blocks');
const heads = z.int().min(1).default(4).describe('heads of every block');
const taps = z.int().min(1).default(4).describe('taps of the causal convolution');
const blocks = z
  .enum(['residual', 'plain'])
  .default('residual')
  .describe('pre-norm blocks with a gated MLP, or the layers one on the other');

const hidden = z
  .int()
  .min(1)
  .optional()
  .describe('hidden width of the MLP of residual blocks; default: 8/3 widths');
const stack = z.strictObject({ width, layers, hidden });
const recurrent = stack.extend({ blocks });
const attention = stack.extend({ heads, taps });

/** The recurrent networks that came before attention. */
export const gru = controlMechanism({
  name: 'gru',
  title: 'GRU',
  description: 'Gated recurrent units (Cho et al. 2014): one vector per layer, rewritten through gates.',
  memory: 'fixed',
  options: recurrent,
  learningRate: 8e-3,
  quick: true,
  search: { blocks: ['residual', 'plain'] },
  mixer: gruMixer,
});

export const lstm = controlMechanism({
  name: 'lstm',
  title: 'LSTM',
  description: 'Long short-term memory (Hochreiter & Schmidhuber 1997): a cell per channel behind gates.',
  memory: 'fixed',
  options: recurrent,
  learningRate: 8e-3,
  search: { blocks: ['residual', 'plain'] },
  parameterMatched: { hidden: 128 },
  mixer: lstmMixer,
});

/** The plainest memory that is a matrix. */
export const linearAttention = controlMechanism({
  name: 'linear-attention',
  title: 'Linear attention',
  description: 'Plain linear attention (Katharopoulos et al. 2020) behind a short convolution.',
  memory: 'fixed',
  options: attention.extend({
    taps: taps.default(2),
    forgetting: z
      .enum(['none', 'spread'])
      .default('spread')
      .describe('what heads forget: nothing, or at speeds spread from 1 / 256 to 1 / 4 per token'),
  }),
  learningRate: 8e-3,
  quick: true,
  search: { forgetting: ['none', 'spread'], heads: [2, 4, 8], taps: [2, 4] },
  parameterMatched: { hidden: 212 },
  mixer: linearAttentionMixer,
});

export const gatedLinearAttention = controlMechanism({
  name: 'gated-linear-attention',
  title: 'Gated linear attention',
  description:
    'A matrix per head whose rows fade as the token says (Yang et al. 2024), or steadily (RetNet).',
  memory: 'fixed',
  options: attention.extend({
    heads: heads.default(2),
    taps: taps.default(2),
    decay: z
      .enum(['learned', 'fixed'])
      .default('fixed')
      .describe('decays of every key channel from the token (GLA), or one constant per head (RetNet)'),
  }),
  learningRate: 2e-3,
  search: { decay: ['learned', 'fixed'], heads: [2, 4, 8], taps: [2, 4] },
  parameterMatched: { hidden: 192 },
  mixer: gatedLinearAttentionMixer,
});

export const gatedDeltaNet = controlMechanism({
  name: 'gated-delta-net',
  title: 'Gated DeltaNet',
  description:
    'A matrix per head in which a key replaces what it recalls, and which fades (Yang et al. 2025).',
  memory: 'fixed',
  options: attention.extend({ heads: heads.default(2) }),
  learningRate: 8e-3,
  search: { heads: [2, 4, 8], taps: [2, 4] },
  parameterMatched: { hidden: 184 },
  mixer: gatedDeltaNetMixer,
});

export const mamba2 = controlMechanism({
  name: 'mamba-2',
  title: 'Mamba-2',
  description: 'A selective state space with one decay per head and token (Dao & Gu 2024).',
  memory: 'fixed',
  options: attention.extend({
    taps: taps.default(2),
    stateSize: z.int().min(1).default(16).describe('rows of the state of every head'),
  }),
  learningRate: 8e-3,
  search: { heads: [2, 4, 8], taps: [2, 4] },
  parameterMatched: { hidden: 220 },
  mixer: stateSpaceMixer,
});

export const rwkv7 = controlMechanism({
  name: 'rwkv-7',
  title: 'RWKV-7',
  description: 'A delta rule with decays and rates of replacement per channel (Peng et al. 2025).',
  memory: 'fixed',
  options: stack.extend({ heads: heads.default(8) }),
  learningRate: 8e-3,
  search: { heads: [2, 4, 8] },
  mixer: rwkv7Mixer,
});

/** What can be done without a memory. */
export const noMemory = controlMechanism({
  name: 'no-memory',
  title: 'No memory',
  description: 'A block without attention, which sees the last few tokens through its convolution only.',
  memory: 'none',
  options: stack.extend({ taps }),
  learningRate: 3e-3,
  quick: true,
  search: { taps: [4, 8] },
  parameterMatched: { hidden: 256 },
  mixer: noMemoryMixer,
});

/** What can be done by counting. */
export const ngram: Mechanism = {
  name: 'ngram',
  title: 'n-gram table',
  description: 'Counts of the training text, interpolated (Witten & Bell 1991).',
  memory: 'none',
  isControl: true,
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
