import { mean } from '@palimpsest/base';
import { type MechanismVerb, outputOptions } from '@palimpsest/lm';
import { createEngine, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { budgets, trainBackbone } from '../backbone/train-backbone.js';
import { shrinkPocket } from '../pocket.js';
import { trainPocketTokenizer } from '../pocket-tokenizer.js';
import { packOf, shared } from './shared.js';

/** Steps between two remarks of a training. */
const NOTED = 50;

const tokenizerSchema = z.strictObject({
  ...outputOptions,
  pack: shared.pack,
  out: z.string().default('tokenizer.json').describe('file for the tokenizer'),
});

/** `viability train-tokenizer`: the vocabulary in which sessions are short. */
export const trainTokenizerVerb: MechanismVerb<typeof tokenizerSchema> = {
  path: ['viability', 'train-tokenizer'],
  description: 'learn a byte-level BPE of 2,048 tokens from sessions, as a tokenizer.json',
  schema: tokenizerSchema,
  examples: ['palimpsest viability train-tokenizer --out pocket/tokenizer.json'],
  async run({ pack, out }, { output }) {
    const tokenizer = trainPocketTokenizer(packOf(pack));
    await writeFileAtomically(out, new TextEncoder().encode(`${JSON.stringify(tokenizer)}\n`));
    output.print(`tokenizer in ${out}`);
    output.emit({ out });
    return 0;
  },
};

const backboneSchema = z.strictObject({
  ...outputOptions,
  pack: shared.pack,
  threads: shared.threads,
  out: z.string().default('pocket').describe('folder for the model; a training that was begun there goes on'),
  budget: z
    .enum(['full', 'quick'])
    .default('full')
    .describe('six million tokens, or half of them for trying the whole'),
  seed: z.int().min(0).default(7).describe('seed of parameters and sessions'),
});

/** `viability train-backbone`: a language model that answers from its context, without any download. */
export const trainBackboneVerb: MechanismVerb<typeof backboneSchema> = {
  path: ['viability', 'train-backbone'],
  description:
    'train a small language model on sessions, as a checkpoint folder; it goes on where it stopped',
  schema: backboneSchema,
  examples: ['palimpsest viability train-backbone --out pocket --threads 1'],
  async run({ pack, out, budget, seed, threads }, { output, signal }) {
    const engine = await createEngine('auto', { threads });
    try {
      const steps = budgets[budget];
      const losses: number[] = [];
      const events = trainBackbone({ engine, pack: packOf(pack), folder: out, steps, seed, signal });
      for await (const event of events) {
        if (event.type === 'step') losses.push(event.loss);
        if (event.type !== 'step' || event.step % NOTED !== 0) continue;
        output.note(`step ${event.step} of ${steps}: loss ${mean(losses.splice(0)).toFixed(4)}`);
      }
      if (signal.aborted) return 130;
      output.print(`model in ${out}`);
      output.emit({ out, steps, seed });
      return 0;
    } finally {
      await engine.dispose();
    }
  },
};

const shrinkSchema = z.strictObject({
  ...outputOptions,
  model: z.string().describe('checkpoint of the language model'),
  adapters: z.string().default('memory-adapters').describe('folder of trained adapters'),
  out: z.string().default('pocket-8-bit').describe('folder for what is written'),
});

/** `viability shrink`: what the quick form reads. */
export const shrinkVerb: MechanismVerb<typeof shrinkSchema> = {
  path: ['viability', 'shrink'],
  description:
    'write the offline backbone with 8 bits per weight, and its adapters, as the quick form reads them',
  schema: shrinkSchema,
  examples: ['palimpsest viability shrink --model pocket --adapters pocket-memory --out pocket-8-bit'],
  async run({ model, adapters, out }, { output }) {
    await shrinkPocket(model, adapters, out);
    output.print(`model and adapters in ${out}; 'viability run --quick --model ${out}' asks them`);
    output.emit({ out });
    return 0;
  },
};
