import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConversation, saveConversation, TextModel, trainConversation } from '@palimpsest/ams-v4';
import { loadPretrained } from '@palimpsest/backbone';
import { mean } from '@palimpsest/base';
import type { MechanismVerb } from '@palimpsest/lm';
import { createEngine, InputError, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { budgets, trainBackbone } from './backbone/train-backbone.js';
import { type Mode, modeNames } from './modes.js';
import { type Pack, parsePack, standardPack } from './pack.js';
import { trainPocketTokenizer } from './pocket-tokenizer.js';
import { runViability, type suites } from './run-viability.js';
import { trainingSessions } from './training-sessions.js';
import { viabilityMarkdown, viabilityText } from './viability-report.js';

const suiteNames = [
  'base',
  'paraphrase',
  'hard',
  'updates',
  'contrast',
] as const satisfies readonly (keyof typeof suites)[];

/** Steps between two remarks of a training. */
const NOTED = 50;

const printing = {
  json: z.boolean().default(false).describe('print one JSON document'),
  quiet: z.boolean().default(false).describe('no remarks'),
};

const shared = {
  ...printing,
  model: z.string().describe('checkpoint of the language model'),
  capacity: z.int().min(64).default(2560).describe('tokens that the language model keeps at most'),
  pack: z.string().optional().describe('file of who, what and in which words; default that of the house'),
  threads: z.int().min(1).optional().describe('threads of the engine'),
};

function packOf(path: string | undefined): Pack {
  if (path === undefined) return standardPack();
  if (!existsSync(path)) throw new InputError(`There is no pack '${path}'.`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`${path} is not JSON: ${(error as Error).message}.`);
  }
  return parsePack(json, path);
}

/** The fastest engine with so many threads, or with its own number. */
const engineWith = (threads: number | undefined) =>
  createEngine('auto', threads === undefined ? {} : { threads });

/** The language model of a checkpoint on an engine of its own. */
async function open({
  model,
  capacity,
  threads,
}: {
  model: string;
  capacity: number;
  threads?: number | undefined;
}) {
  const engine = await engineWith(threads);
  try {
    return { engine, text: new TextModel(engine, await loadPretrained(model, { capacity })) };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

const tokenizerSchema = z.strictObject({
  ...printing,
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
  ...printing,
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
    const engine = await engineWith(threads);
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
  prefixMode: z.enum(['kv', 'slots']).default('kv').describe('cached keys and values, or token embeddings'),
  kvDtype: z
    .enum(['kakeya', 'int8', 'int4', 'f16', 'f32'])
    .default('kakeya')
    .describe('form of keys and values'),
  kvTokens: z
    .string()
    .default('text')
    .describe('tokens that are kept: text, all, or a number of content tokens'),
});

/** @throws InputError for anything but text, all or a number. */
function keptTokens(given: string): 'text' | 'all' | number {
  if (given === 'text' || given === 'all') return given;
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new InputError(`--kv-tokens is text, all, or a number of content tokens, but '${given}' was given.`);
}

/** `viability train-adapters`: what a memory needs over a language model, from generated sessions. */
export const trainAdaptersVerb: MechanismVerb<typeof trainSchema> = {
  path: ['viability', 'train-adapters'],
  description: 'train what a memory needs over a language model, from sessions of training words',
  schema: trainSchema,
  examples: ['palimpsest viability train-adapters --model pocket --out pocket-memory'],
  async run(options, { output }) {
    const { engine, text } = await open(options);
    try {
      const { sessions, corpus } = trainingSessions(packOf(options.pack));
      const { prefixMode, kvDtype, kvTokens, steps, seed, out } = options;
      let last = Number.NaN;
      const adapters = await trainConversation(text, sessions, {
        memory: { prefixMode, kvDtype, kvTokens: keptTokens(kvTokens) },
        corpus,
        steps,
        seed,
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
    } finally {
      await engine.dispose();
    }
  },
};

const runSchema = z.strictObject({
  ...shared,
  adapters: z.string().default('memory-adapters').describe('folder of trained adapters'),
  suite: z.enum(suiteNames).default('base').describe('what the sessions are like'),
  nFacts: z.array(z.int().min(2)).default([20, 50]).describe('numbers of facts'),
  sessions: z.int().min(1).default(20).describe('sessions per number of facts, ten questions each'),
  firstSeed: z.int().min(0).default(1).describe('seed of the first session'),
  modes: z
    .array(z.string())
    .default([...modeNames])
    .describe('how questions are asked'),
  maxNewTokens: z.int().min(1).default(30).describe('most new tokens of an answer'),
  out: z.string().optional().describe('folder for report.json and report.md'),
});

/** @throws InputError naming a mode that there is not. */
function modesOf(given: readonly string[]): Mode[] {
  return given.map((name) => {
    const mode = modeNames.find((one) => one === name);
    if (mode) return mode;
    throw new InputError(`There is no mode '${name}'; there are ${modeNames.join(', ')}.`);
  });
}

/** `viability run`: the gate. */
export const runVerb: MechanismVerb<typeof runSchema> = {
  path: ['viability', 'run'],
  description:
    'tell sessions to a memory, ask about them in all modes, and hold the answers against the gate',
  schema: runSchema,
  aliases: { maxNewTokens: ['mt'] },
  examples: [
    'palimpsest viability run --model pocket --adapters pocket-memory --n-facts 20,50 --out viability',
    'palimpsest viability run --model pocket --adapters pocket-memory --suite updates --n-facts 20',
  ],
  async run(options, { output, signal }) {
    const { engine, text } = await open(options);
    try {
      const adapters = await loadConversation(options.adapters, text.model.options);
      const report = await runViability(text, adapters, packOf(options.pack), {
        suite: options.suite,
        facts: options.nFacts,
        sessions: options.sessions,
        firstSeed: options.firstSeed,
        modes: modesOf(options.modes),
        maxTokens: options.maxNewTokens,
        signal,
        onSession: (facts, done) => output.note(`N = ${facts}: ${done} of ${options.sessions} sessions`),
      });
      if (signal.aborted) return 130;
      if (options.out !== undefined) {
        mkdirSync(options.out, { recursive: true });
        writeFileSync(join(options.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
        writeFileSync(join(options.out, 'report.md'), viabilityMarkdown(report));
      }
      output.print(viabilityText(report));
      output.emit(report);
      await text.dispose();
      return report.gate.passed ? 0 : 1;
    } finally {
      await engine.dispose();
    }
  },
};
