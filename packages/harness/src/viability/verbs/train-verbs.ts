import { saveConversation, trainConversation } from '@palimpsest/ams-v4';
import { mean } from '@palimpsest/base';
import { type MechanismVerb, outputOptions } from '@palimpsest/lm';
import { createEngine, InputError, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { budgets, trainBackbone } from '../backbone/train-backbone.js';
import { shrinkPocket } from '../pocket.js';
import { trainPocketTokenizer } from '../pocket-tokenizer.js';
import { trainingSessions } from '../training-sessions.js';
import { open, packOf, shared } from './shared.js';

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
  hops: z
    .int()
    .min(1)
    .max(2)
    .default(1)
    .describe('searches of a question; 2 for questions that need two memories, which it then learns too'),
  lexicalWeight: z.number().min(0).default(0).describe('weight of BM25 over words beside the bundles'),
  dTopic: z.int().min(4).default(48).describe('width of the topic bundle'),
  prefixMode: z.enum(['kv', 'slots']).default('kv').describe('cached keys and values, or token embeddings'),
  kvDtype: z
    .enum(['kakeya', 'int8', 'int4', 'f16', 'f32'])
    .default('kakeya')
    .describe('form of keys and values'),
  kvTokens: z
    .string()
    .default('text')
    .describe('tokens that are kept: text, all, or a number of content tokens'),
  kvContext: z
    .int()
    .min(0)
    .default(3)
    .describe(
      'with kakeya: tokens from which keys and values are predicted, so that only what differs is kept; 0: none',
    ),
  kvBytes: z
    .int()
    .min(1)
    .optional()
    .describe('bytes of a Kakeya record, one per token and set; default 6, and 32 with --kv-context 0'),
  directionDtype: z
    .enum(['int8', 'f32'])
    .default('int8')
    .describe('form of the directions by which memories are found'),
});

/** @throws InputError for anything but text, all or a number. */
function keptTokens(given: string): 'text' | 'all' | number {
  if (given === 'text' || given === 'all') return given;
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new InputError(`--kv-tokens is text, all, or a number of content tokens, but '${given}' was given.`);
}

/** @throws InputError for a flag of Kakeya records beside another form of keys and values. */
function checkKeyValueFlags(kvDtype: string, given: ReadonlySet<string>): void {
  if (kvDtype === 'kakeya') return;
  const flag = given.has('kvContext') ? '--kv-context' : given.has('kvBytes') ? '--kv-bytes' : undefined;
  if (flag) throw new InputError(`${flag} is for Kakeya records; leave it out with --kv-dtype ${kvDtype}.`);
}

/** `viability train-adapters`: what a memory needs over a language model, from generated sessions. */
export const trainAdaptersVerb: MechanismVerb<typeof trainSchema> = {
  path: ['viability', 'train-adapters'],
  description: 'train what a memory needs over a language model, from sessions of training words',
  schema: trainSchema,
  examples: [
    'palimpsest viability train-adapters --model pocket --out pocket-memory',
    'palimpsest viability train-adapters --model pocket --hops 2 --out pocket-memory-2',
    'palimpsest viability train-adapters --model session --pack large --fresh-names --facts 200 --sessions 40 --d-topic 96 --lexical-weight 0.05',
  ],
  async run(options, { output, signal, given }) {
    checkKeyValueFlags(options.kvDtype, given);
    const { engine, text } = await open(options);
    try {
      const { sessions, corpus } = trainingSessions(packOf(options.pack), options);
      const { prefixMode, kvDtype, kvTokens, kvContext, kvBytes, directionDtype } = options;
      const { hops, lexicalWeight, dTopic, steps, seed, out } = options;
      let last = Number.NaN;
      const adapters = await trainConversation(text, sessions, {
        memory: {
          prefixMode,
          kvDtype,
          kvTokens: keptTokens(kvTokens),
          kvContext,
          kvBytesPerVec: kvBytes,
          directionDtype,
          hops,
          lexicalWeight,
          dTopic,
        },
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
