import { InputError } from '@palimpsest/base';
import { pairingHandlers } from '@palimpsest/base/golden';
import { defineContender, type Mechanism } from '@palimpsest/lm';
import { createRsmModel, inspectText, type RsmOptions, resolveConfig } from '@palimpsest/rsm';
import { z } from 'zod';
import { rsmInspection } from '../inspect/rsm-inspection.js';
import { rsm } from '../models/rsm.js';

const attention = z.strictObject({
  width: z.int().min(8).default(64).describe('width of the residual stream'),
  layers: z.int().min(1).default(2).describe('blocks'),
  heads: z.int().min(1).default(4).describe('heads of every block'),
});

export const mechanism: Mechanism = {
  name: 'rsm',
  title: 'RSM',
  description: 'Rolling state memory: a causal transformer per chunk, and slots that chunks are written to.',
  memory: 'fixed',
  golden: async () => pairingHandlers((await import('@palimpsest/rsm')).parityHandlers),
  architectures: [rsm],
  async inspect({ engine, checkpoint: { model, params, tokenizer, folder }, text, readTokens }) {
    if (!tokenizer)
      throw new InputError(`The checkpoint '${folder}' has no tokenizer, so it can read no text.`);
    const config = resolveConfig(model.config as RsmOptions);
    const inspected = await inspectText(engine, config, params, tokenizer.encode(text));
    return rsmInspection(config, inspected, tokenizer, readTokens);
  },
  contenders: [
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
  ],
};
