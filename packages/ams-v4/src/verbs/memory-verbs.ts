import { type MechanismVerb, outputOptions, type VerbOutput } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { MemoryFilter, MemoryRecord } from '../agent/record.js';
import { place, withKeptMemory, withMemory } from './memory-place.js';

const filter = {
  namespace: z.string().optional().describe('only memories of this namespace'),
  where: z.array(z.string()).default([]).describe('only memories whose metadata has these, as in kind=pet'),
  since: z.string().optional().describe('only memories from this day or time on, as in 2026-01-31'),
  until: z.string().optional().describe('only memories before this day or time'),
};

type Filter = {
  namespace?: string | undefined;
  where: string[];
  since?: string | undefined;
  until?: string | undefined;
};

function filterOf({ namespace, where, since, until }: Filter): MemoryFilter {
  return {
    namespace,
    where: metadataOf(where, '--where'),
    since: since === undefined ? undefined : timeOf(since, '--since'),
    until: until === undefined ? undefined : timeOf(until, '--until'),
  };
}

function metadataOf(pairs: readonly string[], flag: string): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new InputError(`${flag} takes pairs as in kind=pet, but '${pair}' is none.`);
    }),
  );
}

function timeOf(text: string, flag: string): number {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new InputError(`${flag} takes a day or a time as in 2026-01-31, but '${text}' is none.`);
}

const shown = ({ id, text, namespace, time }: MemoryRecord): string =>
  `${id}  ${new Date(time).toISOString().slice(0, 16)}  ${namespace === 'default' ? '' : `${namespace}: `}${text}`;

/** Arguments of a command as one text. */
function textOf(positional: readonly string[], what: string): string {
  const text = positional.join(' ');
  if (text.trim() !== '') return text;
  throw new InputError(`Give the ${what}.`);
}

function numberOf(positional: readonly string[]): number {
  const id = Number(positional[0]);
  if (Number.isInteger(id) && id >= 0) return id;
  throw new InputError(
    `Give the number of a memory, as 'memory list' shows it, and not '${positional[0] ?? ''}'.`,
  );
}

function printAll(output: VerbOutput, records: readonly MemoryRecord[]): void {
  for (const record of records) output.print(shown(record));
  if (records.length === 0) output.note('no memory');
  output.emit(records);
}

const addSchema = z.strictObject({
  ...place,
  namespace: z.string().default('default').describe('namespace of the memory'),
  metadata: z.array(z.string()).default([]).describe('what else is known of it, as in kind=pet'),
  time: z.string().optional().describe('when it was said, default now'),
  force: z.boolean().default(false).describe('add it even when it is known'),
});

export const addVerb: MechanismVerb<typeof addSchema> = {
  path: ['memory', 'add'],
  description: 'remember a text',
  arguments: [{ name: 'text', description: 'what to remember', required: true }],
  schema: addSchema,
  examples: ['palimpsest memory add "My dog is called Rufus." --metadata kind=pet'],
  run: (options, { output }, positional) =>
    withMemory(options, async (memory) => {
      const { namespace, metadata, time, force } = options;
      const { id, known } = await memory.add(textOf(positional, 'text to remember'), {
        namespace,
        metadata: metadataOf(metadata, '--metadata'),
        force,
        time: time === undefined ? undefined : timeOf(time, '--time'),
      });
      output.print(known ? `known as ${id}` : `remembered as ${id}`);
      output.emit({ id, known });
      return 0;
    }),
};

const searchSchema = z.strictObject({
  ...place,
  ...filter,
  k: z.int().min(1).default(5).describe('most memories'),
});

export const searchVerb: MechanismVerb<typeof searchSchema> = {
  path: ['memory', 'search'],
  description: 'find memories',
  arguments: [{ name: 'query', description: 'what to look for', required: true }],
  schema: searchSchema,
  examples: ['palimpsest memory search "what is my dog called" --k 3'],
  run: (options, { output }, positional) =>
    withKeptMemory(options, async (memory) => {
      const hits = await memory.search(textOf(positional, 'words to look for'), {
        k: options.k,
        ...filterOf(options),
      });
      for (const hit of hits) output.print(`${hit.score.toFixed(3)}  ${shown(hit)}`);
      if (hits.length === 0) output.note('nothing found');
      output.emit(hits);
      return 0;
    }),
};

const askSchema = z.strictObject({
  ...place,
  ...filter,
  maxNewTokens: z.int().min(1).default(30).describe('most new tokens'),
});

export const askVerb: MechanismVerb<typeof askSchema> = {
  path: ['memory', 'ask'],
  description: 'answer a question with the language model, from memory',
  arguments: [{ name: 'question', description: 'the question', required: true }],
  schema: askSchema,
  examples: ['palimpsest memory ask "What is my dog called?" --model pocket --adapters pocket-memory'],
  run: (options, { output }, positional) =>
    withKeptMemory(options, async (memory) => {
      const question = textOf(positional, 'question');
      const answer = await memory.ask(question, { maxTokens: options.maxNewTokens, ...filterOf(options) });
      output.print(answer.text);
      for (const hit of answer.memories) output.note(`from ${shown(hit)}`);
      output.emit(answer);
      return 0;
    }),
};

const listSchema = z.strictObject({ ...outputOptions, folder: place.folder, ...filter });

export const listVerb: MechanismVerb<typeof listSchema> = {
  path: ['memory', 'list'],
  description: 'show memories',
  schema: listSchema,
  examples: ['palimpsest memory list --since 2026-01-01'],
  run: (options, { output }) =>
    withKeptMemory(options, async (memory) => {
      printAll(output, memory.list(filterOf(options)));
      return 0;
    }),
};

const forgetSchema = z.strictObject(place);

export const forgetVerb: MechanismVerb<typeof forgetSchema> = {
  path: ['memory', 'forget'],
  description: 'forget a memory',
  arguments: [{ name: 'id', description: 'its number', required: true }],
  schema: forgetSchema,
  examples: ['palimpsest memory forget 3'],
  run: (options, { output }, positional) =>
    withKeptMemory(options, async (memory) => {
      const id = numberOf(positional);
      if (!(await memory.forget(id)))
        throw new InputError(`There is no memory ${id}; 'memory list' shows all.`);
      output.print(`forgot ${id}`);
      output.emit({ id });
      return 0;
    }),
};

const exportSchema = z.strictObject({ ...outputOptions, folder: place.folder, ...filter });

export const exportVerb: MechanismVerb<typeof exportSchema> = {
  path: ['memory', 'export'],
  description: 'write memories as lines of JSON',
  schema: exportSchema,
  examples: ['palimpsest memory export > memories.jsonl'],
  run: (options, { output }) =>
    withKeptMemory(options, async (memory) => {
      const records = memory.list(filterOf(options));
      output.write(memory.export(filterOf(options)));
      output.emit(records);
      return 0;
    }),
};
