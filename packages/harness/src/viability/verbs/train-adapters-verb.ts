import { saveConversation, trainConversation } from '@palimpsest/ams-v4';
import type { MechanismVerb } from '@palimpsest/lm';
import { z } from 'zod';
import { trainingSessions } from '../training-sessions.js';
import { memoryFlags, memoryOptions } from './memory-flags.js';
import { backboneAliases, open, packOf, shared } from './shared.js';

const trainSchema = z.strictObject({
  ...shared,
  out: z.string().default('memory-adapters').describe('folder for the adapters'),
  steps: z.int().min(1).default(600).describe('optimiser steps of retrieval'),
  seed: z.int().min(0).default(1).describe('seed of the maps and of the noise'),
  sessions: z.int().min(1).default(200).describe('sessions to learn from'),
  facts: z
    .int()
    .min(2)
    .default(24)
    .describe('facts of a session, each told apart from all others: more for larger memories'),
  freshNames: z
    .boolean()
    .default(false)
    .describe('people and things of every session are called by names of its own, made up anew'),
  ...memoryFlags,
});

/** `viability train-adapters`: what a memory needs over a language model, from generated sessions. */
export const trainAdaptersVerb: MechanismVerb<typeof trainSchema> = {
  path: ['viability', 'train-adapters'],
  description: 'train what a memory needs over a language model, from sessions of training words',
  schema: trainSchema,
  aliases: backboneAliases,
  examples: [
    'palimpsest viability train-adapters --model pocket --out pocket-memory',
    'palimpsest viability train-adapters --model pocket --hops 2 --out pocket-memory-2',
    'palimpsest viability train-adapters --model session --pack large --fresh-names --facts 200 --sessions 40 --d-topic 96 --lexical-weight 0.05',
    "palimpsest viability train-adapters --backbone SmolLM2.gguf --lead-in 'Answer in a few words.\\n' --pool-layer 10 --kv-dtype f16",
  ],
  async run(options, { output, signal, given }) {
    const memory = memoryOptions(options, given);
    const { engine, text } = await open(options);
    try {
      const { sessions, corpus } = trainingSessions(packOf(options.pack), options);
      const { steps, seed, out } = options;
      let last = Number.NaN;
      const adapters = await trainConversation(text, sessions, {
        memory,
        corpus,
        steps,
        seed,
        signal,
        onStep: (step, loss) => {
          last = loss;
          if ((step + 1) % 100 === 0) output.note(`step ${step + 1} of ${steps}: ${loss.toFixed(4)}`);
        },
      });
      await saveConversation(out, adapters);
      output.print(`retrieval trained to a loss of ${last.toFixed(4)}; adapters in ${out}`);
      output.emit({ out, loss: last });
      await text.dispose();
      return 0;
    } catch (error) {
      // Retrieval is trained in minutes and has no checkpoints: what was learned so far is given up.
      if (!signal.aborted) throw error;
      output.note('stopped before the end: no adapters were written');
      return 130;
    } finally {
      await engine.dispose();
    }
  },
};
