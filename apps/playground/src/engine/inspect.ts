import { createAgentMemory } from '@palimpsest/ams-v4';
import { type TransformerParameters, transformerOf } from '@palimpsest/backbone';
import type { Inspection } from '@palimpsest/lm';
import { cacheInspection, policyByName, readText, recallPolicyOf, transferredPolicy } from '@palimpsest/namm';
import type { ToHost } from '@palimpsest/tensor-core';
import { rules } from '../choices.js';
import { openModel, type TextModel } from './checkpoints.js';
import { readyEngine } from './engine.js';
import { cardOf } from './mechanisms.js';
import type { Calls, FoundText } from './protocol.js';

/** Tokens at the end of a text whose reads are shown. */
const READ_TOKENS = 64;

/** What the memory of a model keeps of a text; of a transformer, what a rule that watches its attention keeps. */
export async function inspect(request: Calls['inspect']['request']): Promise<Inspection> {
  const { model: name, base, text } = request;
  const checkpoint = await openModel(name, base);
  const engine = await readyEngine();
  const card = cardOf(checkpoint.model);
  if (card?.inspect) return card.inspect({ engine, checkpoint, text, readTokens: READ_TOKENS });
  if (checkpoint.model.name !== 'transformer')
    throw new Error(`A model of the kind '${checkpoint.model.name}' cannot show what its memory kept.`);
  return inspectCache(checkpoint, request);
}

/** Tokens between two updates of a cache: a multiple of what the evolved policy takes at once. */
const INTERVAL = 32;

async function inspectCache(
  { model, params, tokenizer }: TextModel,
  { text, rule, budget }: Calls['inspect']['request'],
) {
  // The same weights without their window: now the rule decides what is forgotten.
  const whole = transformerOf(model, rule).withCache({ window: 0, capacity: 2 * budget });
  const { policy, schedule } =
    rule === 'namm'
      ? transferredPolicy(recallPolicyOf(budget, INTERVAL), whole)
      : { policy: policyByName(rule, { size: budget }), schedule: { updateInterval: INTERVAL } };
  const read = await readText({
    ...{ engine: await readyEngine(), model: whole, policy, schedule },
    params: params as ToHost<TransformerParameters>,
    tokens: Int32Array.from(tokenizer.encode(text)),
  });
  const { title, about } = rules[rule];
  return cacheInspection(read, `${title}, ${about}`, tokenizer);
}

/** The notes that a memory outside of any model finds for a question. */
export async function recall({ notes, question }: Calls['recall']['request']): Promise<readonly FoundText[]> {
  const memory = await createAgentMemory('none');
  for (const note of notes) await memory.add(note);
  const found = await memory.search(question, { k: 5 });
  return found.map(({ text, score }) => ({ text, score }));
}
