import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConversationAdapters, loadConversation } from '@palimpsest/ams-v4';
import type { MechanismVerb } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type Mode, modeNames } from '../modes.js';
import { quickViability } from '../quick-viability.js';
import { runViability, type suites, type ViabilityOptions, type ViabilityReport } from '../run-viability.js';
import { viabilityMarkdown, viabilityText } from '../viability-report.js';
import { backboneAliases, open, packOf, shared } from './shared.js';

const suiteNames = [
  'base',
  'paraphrase',
  'hard',
  'updates',
  'contrast',
  'two-hop',
] as const satisfies readonly (keyof typeof suites)[];

const runSchema = z.strictObject({
  ...shared,
  model: z
    .string()
    .optional()
    .describe(
      'checkpoint of the language model, or session for the small one that ships; with --quick one that was shrunk',
    ),
  quick: z
    .boolean()
    .default(false)
    .describe('in half a minute: the small model that ships, what the verdict needs, five sessions'),
  adapters: z.string().default('memory-adapters').describe('folder of trained adapters'),
  lexicalWeight: z
    .number()
    .min(0)
    .optional()
    .describe('weight of BM25 over words beside the bundles; default that of the adapters'),
  hops: z
    .int()
    .min(1)
    .max(4)
    .optional()
    .describe(
      'searches of a question, each after the first with the best memory of the one before; default that of the adapters',
    ),
  suite: z.enum(suiteNames).default('base').describe('what the sessions are like'),
  replace: z
    .boolean()
    .default(false)
    .describe('a fact that changes takes the place of what held before; otherwise both are remembered'),
  nFacts: z.array(z.int().min(2)).default([20, 50]).describe('numbers of facts'),
  sessions: z.int().min(1).default(20).describe('sessions per number of facts'),
  questions: z.int().min(1).default(10).describe('questions per session'),
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

/** What the quick form has of its own. */
const OF_THE_WHOLE = [
  'capacity',
  'pack',
  'adapters',
  'modes',
  'maxNewTokens',
  'lexicalWeight',
  'hops',
] as const;

type Options = z.output<typeof runSchema>;
type Told = Pick<ViabilityOptions, 'signal' | 'onSession'>;

/** The gate with the model that ships. @throws InputError for a flag that it does not heed. */
async function runQuick(
  { model, suite, replace, nFacts, sessions, questions, firstSeed, threads }: Options,
  given: ReadonlySet<string>,
  told: Told,
): Promise<ViabilityReport> {
  const useless = OF_THE_WHOLE.find((key) => given.has(key));
  if (useless !== undefined) {
    throw new InputError(`--quick decides '${useless}' itself; leave it out, or leave --quick out.`);
  }
  const engine = await createEngine('auto', { threads });
  const chosen = given.has('sessions') ? { sessions } : {};
  return quickViability(
    engine,
    { ...told, ...chosen, firstSeed, suite, replaces: replace, questions, facts: nFacts },
    model,
  ).finally(() => engine.dispose());
}

/** Adapters that search otherwise. */
function searching(
  adapters: ConversationAdapters,
  { lexicalWeight = adapters.config.lexicalWeight, hops = adapters.config.hops }: Options,
): ConversationAdapters {
  return { ...adapters, config: { ...adapters.config, lexicalWeight, hops } };
}

/** The gate with a model of the user. */
async function runWhole(options: Options, told: Told): Promise<ViabilityReport> {
  const { model } = options;
  if (model === undefined) {
    throw new InputError(
      "Give the folder of a language model as --model ('viability train-backbone' makes one), or --quick for the one that ships.",
    );
  }
  const { engine, text } = await open({ ...options, model });
  try {
    const trained = await loadConversation(options.adapters, text.model.options);
    const adapters = searching(trained, options);
    const report = await runViability(text, adapters, packOf(options.pack), {
      suite: options.suite,
      replaces: options.replace,
      facts: options.nFacts,
      sessions: options.sessions,
      questions: options.questions,
      firstSeed: options.firstSeed,
      modes: modesOf(options.modes),
      maxTokens: options.maxNewTokens,
      ...told,
    });
    await text.dispose();
    return report;
  } finally {
    await engine.dispose();
  }
}

/** `viability run`: the gate. */
export const runVerb: MechanismVerb<typeof runSchema> = {
  path: ['viability', 'run'],
  description:
    'tell sessions to a memory, ask about them in all modes, and hold the answers against the gate',
  schema: runSchema,
  aliases: { maxNewTokens: ['mt'], ...backboneAliases },
  examples: [
    'palimpsest viability run --quick',
    'palimpsest viability run --model pocket --adapters pocket-memory --n-facts 20,50 --out viability',
    'palimpsest viability run --quick --suite updates --replace --n-facts 20',
    'palimpsest viability run --quick --suite two-hop --n-facts 30',
  ],
  async run(options, { output, signal, given }) {
    const onSession = (facts: number, done: number) => output.note(`N = ${facts}: session ${done}`);
    const told = { signal, onSession };
    const report = await (options.quick ? runQuick(options, given, told) : runWhole(options, told));
    if (signal.aborted) return 130;
    if (options.out !== undefined) {
      mkdirSync(options.out, { recursive: true });
      writeFileSync(join(options.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
      writeFileSync(join(options.out, 'report.md'), viabilityMarkdown(report));
    }
    output.print(viabilityText(report, output.width));
    output.emit(report);
    return report.gate.passed ? 0 : 1;
  },
};
