import { createTransformer, type TransformerOptions } from '@palimpsest/backbone';
import { type Contender, defineContender, type ModelNeed, NgramModel } from '@palimpsest/lm';
import { mechanism as osam } from '@palimpsest/osam/mechanism';
import { createRsmModel } from '@palimpsest/rsm';
import { type NDArray, ndarray, type Rng, treeMap } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type ControlOptions, createControlModel } from './control-model.js';

const size = {
  width: z.int().min(8).default(64).describe('width of the residual stream'),
  layers: z.int().min(1).default(2).describe('blocks'),
};
const heads = z.int().min(1).default(4).describe('heads of every block');
const attention = z.strictObject({ ...size, heads });
const windowed = attention.extend({
  window: z.int().min(2).default(32).describe('newest tokens that a query sees'),
});
const controlled = attention.extend({
  taps: z.int().min(1).default(4).describe('taps of the causal convolution'),
});

/** The decoder that every transformer here is: rotary positions, RMS norm, gated MLP. */
function transformer(
  { vocabSize, trainLength }: ModelNeed,
  { width, layers, heads: count }: z.output<typeof attention>,
  more: Partial<TransformerOptions>,
) {
  const model = createTransformer({
    vocabSize,
    layers,
    heads: count,
    modelWidth: width,
    context: trainLength,
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
    ...more,
  });
  return { ...model, init: (rng: Rng) => widened(model.init(rng), width) };
}

/**
 * Matrices that start at a deviation of 0.02, as large models do, brought to 1 / √width. At the widths
 * compared here that reads held-out text at 0.45 bits per character where 0.02 gives 0.64 after as many steps.
 */
function widened<T>(params: T, width: number): T {
  const factor = 1 / Math.sqrt(width) / 0.02;
  return treeMap<NDArray, NDArray>(params, (leaf) =>
    leaf.shape.length < 2
      ? leaf
      : ndarray(
          Float32Array.from(leaf.data, (value) => value * factor),
          leaf.shape,
        ),
  ) as T;
}

function control(need: ModelNeed, mixer: ControlOptions['mixer'], given: z.output<typeof controlled>) {
  return createControlModel({ ...given, vocabSize: need.vocabSize, mixer, forgetting: 'none' });
}

/** Every contender of the house. A mechanism joins with one entry here. */
export const contenders: readonly Contender[] = [
  ...(osam.contenders ?? []),
  defineContender({
    name: 'rsm',
    title: 'RSM',
    mechanism: 'rsm',
    description:
      'Rolling state memory: a causal transformer per chunk, and slots that chunks are written to.',
    kind: 'trained',
    options: attention.extend({
      slots: z.int().min(1).default(8).describe('memory slots of every block'),
      chunk: z.int().min(2).default(8).describe('tokens per chunk'),
    }),
    learningRate: 2e-3,
    create({ vocabSize, trainLength }, { width, layers, heads: count, slots, chunk }) {
      return createRsmModel({
        vocabSize,
        hiddenSize: width,
        numLayers: layers,
        numHeads: count,
        numMemorySlots: slots,
        windowSize: chunk,
        dropout: 0,
        weightInitStd: 1 / Math.sqrt(width),
        tbpttChunks: Math.ceil(trainLength / chunk),
      });
    },
  }),
  defineContender({
    name: 'transformer',
    title: 'Transformer, full attention',
    mechanism: 'transformer',
    description: 'Keys and values of the whole text: the memory that grows with it.',
    kind: 'trained',
    options: attention,
    learningRate: 3e-3,
    create: (need, given) => transformer(need, given, { capacity: need.longestLength }),
  }),
  defineContender({
    name: 'transformer-window',
    title: 'Transformer, sliding window',
    mechanism: 'transformer-window',
    description: 'Keys and values of the newest tokens only.',
    kind: 'trained',
    options: windowed,
    learningRate: 3e-3,
    create: (need, { window, ...rest }) => transformer(need, rest, { window }),
  }),
  defineContender({
    name: 'transformer-sinks',
    title: 'Transformer, window and sinks',
    mechanism: 'transformer-sinks',
    description: 'Keys and values of the newest tokens and of the first four (Xiao et al. 2023).',
    kind: 'trained',
    options: windowed.extend({ sinks: z.int().min(1).default(4).describe('first tokens that stay') }),
    learningRate: 3e-3,
    create: (need, { window, sinks, ...rest }) => transformer(need, rest, { window, sinks }),
  }),
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
];
