import type { LanguageModel, Registry } from '@palimpsest/harness';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { Recollection } from '../chat/recollection.js';
import { type AnyRecollection, StateRecollection } from '../chat/state-recollection.js';
import { memoryFlags, memoryOptions } from './memory.js';

/** Tokens of the texts before a turn, where nobody says how many. */
const BUDGET = 256;
/** The folder of `palimpsest memory`. */
const FOLDER = 'memory';
const HEADING = 'What was said before:';

/** Memories of verbs that speak: what a cache keeps, or what is kept beside the model. */
export const spokenMemoryOptions = {
  ...memoryOptions,
  memory: memoryOptions.memory.meta({
    description:
      'what the cache of a transformer keeps: window, sinks, or another rule of `palimpsest ls policies`; ams: for any model, what you say is kept in a folder, and what is found of it stands in the prompt, or with adapters before it',
    value: 'name',
  }),
  budget: memoryOptions.budget.meta({
    description: `tokens that stay, in every head, however long the text; with --memory ams most tokens of what is found (default: ${BUDGET}, or what the adapters say)`,
    value: 'count',
  }),
  memoryFolder: z
    .string()
    .optional()
    .meta({ description: `folder of --memory ams (default: ${FOLDER})`, value: 'path' }),
  adapters: z.string().optional().meta({
    description:
      "adapters of `palimpsest viability train-adapters`: --memory ams then puts keys and values of what it finds before the line, not texts into it (default: the model's own, where some come with it)",
    value: 'folder',
  }),
};

type Values = Readonly<Record<string, unknown>>;

/** What a memory of texts is opened with. */
export interface Spoken {
  readonly language: LanguageModel;
  readonly engine: Engine;
}

/**
 * The memory of texts that was asked for; undefined when none was.
 * @throws InputError for an option that it does not know, adapters that do not fit, and for a folder that is damaged or in use.
 */
export async function recollectionOf(
  options: Values,
  { textMemories }: Registry,
  { language, engine }: Spoken,
): Promise<AnyRecollection | undefined> {
  const { memory: name, budget, memoryFolder: folder = FOLDER } = options as Asked;
  const chosen = textMemories.find((memory) => memory.name === name);
  if (!chosen) return refuseForeign(options, textMemories);
  const foreign = Object.entries(memoryFlags).find(([key]) => key !== 'budget' && options[key] !== undefined);
  if (foreign) throw new InputError(`The memory '${name}' has no option ${foreign[1]}; leave it away.`);
  const { model, params, tokenizer, endIds, chatTemplate } = language;
  const adapters = (options as Asked).adapters ?? language.memoryAdapters;
  if (adapters !== undefined && chosen.openOver) {
    const over = { engine, model, params, tokenizer, endIds, adapters, budget };
    return new StateRecollection(await chosen.openOver(folder, over), folder);
  }
  const { capacity } = model.config;
  return new Recollection({
    memory: await chosen.open(folder),
    folder,
    tokenizer,
    budget: budget ?? BUDGET,
    sight: typeof capacity === 'number' ? capacity : Number.POSITIVE_INFINITY,
    heading: chatTemplate && HEADING,
  });
}

/** @throws InputError for an option of a memory of texts without one. */
function refuseForeign(options: Values, textMemories: Registry['textMemories']): undefined {
  const flag = Object.entries(ownFlags).find(([key]) => options[key] !== undefined)?.[1];
  if (flag === undefined) return undefined;
  throw new InputError(
    `${flag} belongs to a memory of texts; name one with --memory: ${textMemories.map((one) => one.name).join(', ')}.`,
  );
}

const ownFlags = { memoryFolder: '--memory-folder', adapters: '--adapters' } as const;

interface Asked {
  readonly memory?: string;
  readonly budget?: number;
  readonly memoryFolder?: string;
  readonly adapters?: string;
}
