import { defineContender } from '@palimpsest/lm';
import { z } from 'zod';
import { createOsamModel } from './model.js';
import { spreadDecays } from './presets.js';

const size = z.strictObject({
  width: z.int().min(8).default(64).describe('width of the residual stream'),
  layers: z.int().min(1).default(2).describe('blocks'),
});

/** Value memories that forget at different speeds, the first of them nothing: long streams need it. */
const MEMORY_HEADS = 4;

/** OSAM as it takes part in comparisons: improved, and as published. */
export const contenders = [
  defineContender({
    name: 'osam',
    title: 'OSAM',
    mechanism: 'osam',
    description: 'One-Shot Algebraic Map: the text in two sums of fixed size, read by algebra.',
    kind: 'trained',
    options: size.extend({
      sketchRatio: z.int().min(1).default(4).describe('sketch length in units of the width'),
    }),
    learningRate: 3e-3,
    create: ({ vocabSize }, { width, layers, sketchRatio }) =>
      createOsamModel({
        vocabSize,
        dModel: width,
        layers,
        sketchDim: sketchRatio * width,
        readoutHidden: 2 * width,
        heads: MEMORY_HEADS,
        headDecays: spreadDecays(MEMORY_HEADS),
        readScale: 'effective',
      }),
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
