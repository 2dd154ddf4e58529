import { defineContender } from '@palimpsest/lm';
import { z } from 'zod';
import type { OsamOptions } from './config.js';
import { createOsamModel } from './model.js';
import { spreadDecays } from './presets.js';

const size = z.strictObject({
  width: z.int().min(8).default(64).describe('width of the residual stream'),
  layers: z.int().min(1).default(2).describe('blocks'),
});

/**
 * Decay factors of the value memories, by name. No choice wins everywhere: the next character hangs on the last few, which a
 * sum that never forgets drowns, so text wants heads that forget at once; a needle must still be there after any distance, which
 * only heads of factor 1 give, and two of them more surely than one.
 */
const forgetting = {
  slow: spreadDecays(4),
  fast: [1, 0.9, 0.7, 0.3],
  kept: [1, 1, 0.7, 0.3],
  mixed: [1, 1, 1, 0.95, 0.9, 0.7, 0.5, 0.3],
} as const;
const forgettingNames = ['slow', 'fast', 'kept', 'mixed'] as const;

const options = size.extend({
  hidden: z
    .int()
    .min(1)
    .optional()
    .describe('hidden width of the MLP, or of the readout of published blocks; default: 2.7 or 2 widths'),
  sketchRatio: z.int().min(1).default(4).describe('sketch length in units of the width, of published blocks'),
  blocks: z
    .enum(['published', 'gated'])
    .default('gated')
    .describe('both memories and a norm after the sum, or the value memory alone before a gated MLP'),
  positions: z
    .enum(['channel', 'none'])
    .default('none')
    .describe('whether keys and queries are rotated by their position'),
  forgetting: z
    .enum(forgettingNames)
    .default('kept')
    .describe('how fast the heads of the value memory forget'),
  writing: z
    .enum(['all', 'gated'])
    .default('gated')
    .describe('whether heads write every token whole, or a learned share of it'),
});

const MLP_RATIO = 2.7;

/** Blocks of language models: a short convolution, the value memory, a gated MLP, each before its norm. */
const gatedBlocks = (width: number, hidden = MLP_RATIO * width) =>
  ({
    featurePath: false,
    norm: 'pre',
    mlpRatio: hidden / width,
    mlpKind: 'swiglu',
    convWidth: 4,
    embeddingInitStd: 1 / Math.sqrt(width),
  }) satisfies Partial<OsamOptions>;

/** OSAM as it takes part in comparisons: improved, and as published. */
export const contenders = [
  defineContender({
    name: 'osam',
    title: 'OSAM',
    mechanism: 'osam',
    description: 'One-Shot Algebraic Map: the text in two sums of fixed size, read by algebra.',
    kind: 'trained',
    options,
    learningRate: 3e-3,
    search: {
      blocks: ['published', 'gated'],
      positions: ['channel', 'none'],
      forgetting: [...forgettingNames],
    },
    create: ({ vocabSize }, { width, layers, hidden, sketchRatio, blocks, positions, writing, ...given }) => {
      const headDecays = [...forgetting[given.forgetting]];
      return createOsamModel({
        vocabSize,
        dModel: width,
        layers,
        sketchDim: sketchRatio * width,
        readoutHidden: (blocks === 'published' ? hidden : undefined) ?? 2 * width,
        heads: headDecays.length,
        headDecays,
        omegaMode: positions,
        writeGate: writing === 'gated',
        readScale: 'effective',
        ...(blocks === 'gated' ? gatedBlocks(width, hidden) : {}),
      });
    },
  }),
  defineContender({
    name: 'osam-reference',
    title: 'OSAM, published arithmetic',
    mechanism: 'osam',
    description: "The published program's arithmetic, flaws included.",
    kind: 'trained',
    options: size,
    learningRate: 3e-3,
    create: ({ vocabSize }, { width, layers }) =>
      createOsamModel({
        vocabSize,
        mode: 'parity',
        dModel: width,
        layers,
        sketchDim: 4 * width,
        readoutHidden: 2 * width,
      }),
  }),
];
