import { createAgentMemory } from '@palimpsest/ams-v4';
import { type TransformerParameters, transformerOf } from '@palimpsest/backbone';
import type { Inspection } from '@palimpsest/lm';
import { cacheInspection, policyByName, readText } from '@palimpsest/namm';
import type { ToHost } from '@palimpsest/tensor-core';
import { openModel, type TextModel } from './checkpoints.js';
import { readyEngine } from './engine.js';
import { cardOf } from './mechanisms.js';
import type { Calls, FoundText } from './protocol.js';

/** Tokens at the end of a text whose reads are shown. */
const READ_TOKENS = 64;

/** What the memory of a model keeps of a text; of a transformer, what a rule that watches its attention keeps. */
export async function inspect({
  model: name,
  base,
  text,
  budget,
}: Calls['inspect']['request']): Promise<Inspection> {
  const checkpoint = await openModel(name, base);
  const engine = await readyEngine();
  const card = cardOf(checkpoint.model);
  if (card?.inspect) return card.inspect({ engine, checkpoint, text, readTokens: READ_TOKENS });
  return inspectCache(checkpoint, text, budget);
}

async function inspectCache({ model, params, tokenizer }: TextModel, text: string, budget: number) {
  const policy = 'h2o';
  // The same weights without their window: now the rule decides what is forgotten.
  const whole = transformerOf(model, policy).withCache({ window: 0, capacity: 2 * budget });
  const read = await readText({
    ...{ engine: await readyEngine(), model: whole },
    params: params as ToHost<TransformerParameters>,
    policy: policyByName(policy, { size: budget }),
    schedule: { updateInterval: budget },
    tokens: Int32Array.from(tokenizer.encode(text)),
  });
  return cacheInspection(read, policy, tokenizer);
}

/** The notes that a memory outside of any model finds for a question. */
export async function recall({ notes, question }: Calls['recall']['request']): Promise<readonly FoundText[]> {
  const memory = await createAgentMemory('none');
  for (const note of notes) await memory.add(note);
  const found = await memory.search(question, { k: 5 });
  return found.map(({ text, score }) => ({ text, score }));
}
