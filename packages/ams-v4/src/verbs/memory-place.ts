import { loadPretrained } from '@palimpsest/backbone';
import { nodeModule } from '@palimpsest/base';
import { outputOptions, threadsOption, type VerbExit } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type AgentMemory, createAgentMemory } from '../agent/agent-memory.js';
import { JOURNAL } from '../agent/journal.js';
import { loadConversation } from '../conversation/adapters-folder.js';
import { KeyValueMemory } from '../conversation/key-value-memory.js';
import { TextModel } from '../model/text-model.js';

/** Where a memory is, and what finds and answers. */
export const place = {
  ...outputOptions,
  folder: z.string().default('memory').describe('folder of the memory'),
  model: z
    .string()
    .optional()
    .describe('checkpoint of a language model that finds and answers; without one words do'),
  adapters: z.string().optional().describe('folder of adapters that were trained for the language model'),
  threads: threadsOption,
};

type Place = {
  folder: string;
  model?: string | undefined;
  adapters?: string | undefined;
  threads?: number | undefined;
};
/**
 * Opens the memory of a folder that has one, uses it and closes it.
 * @throws InputError when nothing was remembered there: asking elsewhere by mistake shall not look like having forgotten.
 */
export async function withKeptMemory(
  asked: Place,
  use: (memory: AgentMemory) => Promise<VerbExit>,
): Promise<VerbExit> {
  const journal = nodeModule('node:path').join(asked.folder, JOURNAL);
  if (nodeModule('node:fs').existsSync(journal)) return withMemory(asked, use);
  throw new InputError(
    `There is no memory in '${asked.folder}' (--folder); \`palimpsest memory add\` begins one.`,
  );
}

/** Opens the memory of a folder, which begins when there is none, uses it and closes it. */
export async function withMemory(
  { folder, model, adapters, threads }: Place,
  use: (memory: AgentMemory) => Promise<VerbExit>,
): Promise<VerbExit> {
  if ((model === undefined) !== (adapters === undefined)) {
    throw new InputError(
      'A memory with a language model needs both --model and --adapters; give both, or neither.',
    );
  }
  if (model === undefined || adapters === undefined) {
    const memory = await createAgentMemory('none', { folder });
    return use(memory).finally(() => memory.close());
  }
  const engine = await createEngine('auto', { threads });
  try {
    const frozen = await loadPretrained(model);
    const text = new TextModel(engine, frozen);
    const own = new KeyValueMemory(text, await loadConversation(adapters, frozen.model.options));
    const memory = await createAgentMemory(own, { folder });
    return await use(memory).finally(() => memory.close());
  } finally {
    await engine.dispose();
  }
}
