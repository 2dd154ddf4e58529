import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConversation } from '@palimpsest/ams-v4';
import { type MechanismVerb, outputOptions } from '@palimpsest/lm';
import { InputError, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type LongMemEntry, readLongMemEval } from '../long-mem-eval/entries.js';
import { generateEntries } from '../long-mem-eval/generate-entries.js';
import { longMemText } from '../long-mem-eval/long-mem-text.js';
import { rememberingModel, rememberingWords } from '../long-mem-eval/remembering.js';
import { runLongMemEval } from '../long-mem-eval/run-long-mem-eval.js';
import { adaptersOfPocket } from '../pocket.js';
import { backboneAliases, isShipped, open, packOf, shared } from './shared.js';

const LEAD = 'Based on our previous conversations, ';

const runSchema = z.strictObject({
  ...outputOptions,
  capacity: shared.capacity,
  threads: shared.threads,
  model: z
    .string()
    .default('session')
    .describe('checkpoint of the language model, or session for the small one that ships'),
  file: z.string().describe('questions in the shape of LongMemEval, as JSON'),
  adapters: z
    .string()
    .optional()
    .describe('folder of trained adapters; default those of the model that ships'),
  lead: z.string().default(LEAD).describe('what stands before every question that is not too long for it'),
  words: z.boolean().default(false).describe('find by words alone, and answer nothing'),
  k: z.int().min(1).default(4).describe('memories that words find'),
  first: z.int().min(1).optional().describe('only so many questions'),
  out: z.string().optional().describe('folder for report.json and report.txt'),
});
type RunOptions = z.output<typeof runSchema>;
type Told = Parameters<typeof runLongMemEval>[2];

/** What only a language model heeds, and what only words do. */
const OF_MODELS = ['model', 'adapters', 'lead', 'capacity', 'threads'] as const;

/** @throws InputError for a flag that is not heeded. */
function checkFlags({ words }: RunOptions, given: ReadonlySet<string>): void {
  const useless = words ? OF_MODELS.find((key) => given.has(key)) : given.has('k') ? 'k' : undefined;
  if (useless === undefined) return;
  throw new InputError(
    words
      ? `With --words no language model reads anything; leave out --${useless}, or --words.`
      : '--k is for --words; how many memories a model reads is in its adapters.',
  );
}

/** @throws InputError for a model of the user without adapters. */
async function withModel(options: RunOptions, entries: readonly LongMemEntry[], told: Told) {
  const { model, lead } = options;
  const folder = options.adapters ?? (isShipped(model) ? adaptersOfPocket() : undefined);
  if (folder === undefined) {
    throw new InputError(
      `Give the adapters over '${model}' as --adapters ('viability train-adapters' makes some).`,
    );
  }
  const { engine, text } = await open(options);
  try {
    const adapters = await loadConversation(folder, text.model.options);
    const report = await runLongMemEval(entries, rememberingModel(text, adapters, lead), told);
    await text.dispose();
    return report;
  } finally {
    await engine.dispose();
  }
}

/** `viability long-mem-eval`: questions about many talks. */
export const longMemEvalVerb: MechanismVerb<typeof runSchema> = {
  path: ['viability', 'long-mem-eval'],
  description: 'tell a memory the talks of a file in the shape of LongMemEval, and ask its questions',
  schema: runSchema,
  aliases: backboneAliases,
  examples: [
    'palimpsest viability write-long-mem-eval --out talks.json',
    'palimpsest viability long-mem-eval --file talks.json',
    'palimpsest viability long-mem-eval --file longmemeval_s.json --words --k 10',
  ],
  async run(options, { output, signal, given }) {
    checkFlags(options, given);
    const all = await readLongMemEval(options.file);
    const entries = all.slice(0, options.first ?? all.length);
    if (entries.length === 0) throw new InputError(`'${options.file}' holds no question.`);
    const onEntry = (done: number) => {
      if (done % 10 === 0 || done === entries.length) output.note(`${done} of ${entries.length} questions`);
    };
    const report = await (options.words
      ? runLongMemEval(entries, rememberingWords(options.k), { onEntry, signal })
      : withModel(options, entries, { onEntry, signal }));
    if (signal.aborted) return 130;
    if (options.out !== undefined) {
      mkdirSync(options.out, { recursive: true });
      writeFileSync(join(options.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
      writeFileSync(join(options.out, 'report.txt'), `${longMemText(report)}\n`);
    }
    output.print(longMemText(report, output.width));
    output.emit(report);
    return 0;
  },
};

const writeSchema = z.strictObject({
  ...outputOptions,
  pack: shared.pack,
  out: z.string().default('talks.json').describe('file for the questions and talks'),
  entries: z.int().min(1).default(80).describe('questions, a quarter of each kind'),
  seed: z.int().min(0).default(1).describe('seed of the first question'),
  facts: z.int().min(4).default(20).describe('facts that are told before a question'),
  talks: z.int().min(2).default(5).describe('talks in which they are told'),
});

/** `viability write-long-mem-eval`: such a file, generated. */
export const writeLongMemEvalVerb: MechanismVerb<typeof writeSchema> = {
  path: ['viability', 'write-long-mem-eval'],
  description: 'write talks and questions in the shape of LongMemEval, of held-out words',
  schema: writeSchema,
  examples: ['palimpsest viability write-long-mem-eval --out talks.json --entries 40'],
  async run({ pack, out, entries, seed, facts, talks }, { output }) {
    const made = generateEntries(packOf(pack), { entries, seed, facts, sessions: talks });
    await writeFileAtomically(out, new TextEncoder().encode(`${JSON.stringify(made, null, 1)}\n`));
    output.print(`${made.length} questions in ${out}`);
    output.emit({ out, entries: made.length });
    return 0;
  },
};
