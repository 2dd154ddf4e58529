import type { LanguageModel, Registry } from '@palimpsest/harness';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { Recollection } from '../chat/recollection.js';
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
      'what the cache of a transformer keeps: window, sinks, or another rule of `palimpsest ls policies`; ams: for any model, what you say is kept in a folder, and what is found of it stands in the prompt',
    value: 'name',
  }),
  budget: memoryOptions.budget.meta({
    description: `tokens that stay, in every head, however long the text; with --memory ams most tokens of what is found (default: ${BUDGET})`,
    value: 'count',
  }),
  memoryFolder: z
    .string()
    .optional()
    .meta({ description: `folder of --memory ams (default: ${FOLDER})`, value: 'path' }),
};

type Values = Readonly<Record<string, unknown>>;

/**
 * The memory of texts that was asked for; undefined when none was.
 * @throws InputError for an option that it does not know, and for a folder that is damaged or in use.
 */
export async function recollectionOf(
  options: Values,
  { textMemories }: Registry,
  { model, tokenizer, chatTemplate }: LanguageModel,
): Promise<Recollection | undefined> {
  const { memory: name, budget = BUDGET, memoryFolder } = options as Asked;
  const chosen = textMemories.find((memory) => memory.name === name);
  if (!chosen) {
    if (memoryFolder === undefined) return undefined;
    throw new InputError(
      `--memory-folder belongs to a memory of texts; name one with --memory: ${textMemories.map((one) => one.name).join(', ')}.`,
    );
  }
  const foreign = Object.entries(memoryFlags).find(([key]) => key !== 'budget' && options[key] !== undefined);
  if (foreign) throw new InputError(`The memory '${name}' has no option ${foreign[1]}; leave it away.`);
  const { capacity } = model.config;
  const folder = memoryFolder ?? FOLDER;
  return new Recollection({
    memory: await chosen.open(folder),
    folder,
    tokenizer,
    budget,
    sight: typeof capacity === 'number' ? capacity : Number.POSITIVE_INFINITY,
    heading: chatTemplate && HEADING,
  });
}

interface Asked {
  readonly memory?: string;
  readonly budget?: number;
  readonly memoryFolder?: string;
}
