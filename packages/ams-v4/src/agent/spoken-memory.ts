import {
  stateFromRows,
  type Transformer,
  type TransformerParameters,
  transformerOf,
} from '@palimpsest/backbone';
import type { OpenStateMemory, RecalledState, SpeakingModel } from '@palimpsest/lm';
import { InputError, type NDArray, treeToRecord } from '@palimpsest/tensor-core';
import { loadConversation } from '../conversation/adapters-folder.js';
import { inForm } from '../conversation/config.js';
import { KeyValueMemory } from '../conversation/key-value-memory.js';
import { TextModel } from '../model/text-model.js';
import { type AgentMemory, createAgentMemory } from './agent-memory.js';

/**
 * The memory of a folder over a model that speaks: its own keys and values of what was found stand before a line.
 * @throws InputError for a model without keys and values or with frozen weights, adapters of another model or for slots, and a
 * folder that is damaged or in use.
 */
export async function openSpokenMemory(
  folder: string,
  { engine, adapters, budget, ...speaking }: SpeakingModel,
): Promise<OpenStateMemory> {
  const model = transformerOf(speaking.model, 'ams');
  const params = wholeParameters(speaking.params);
  const trained = await loadConversation(adapters, model.options);
  if (trained.config.prefixMode !== 'kv') {
    throw new InputError(
      `The adapters in '${adapters}' put token embeddings before a prompt, but here keys and values are needed; train some with --prefix-mode kv.`,
    );
  }
  const { tokenizer, endIds } = speaking;
  const text = new TextModel(engine, { model, params, tokenizer, endIds });
  const config = budget === undefined ? trained.config : { ...trained.config, lMem: budget };
  const own = new KeyValueMemory(text, { ...trained, config });
  const dispose = async () => {
    await own.dispose();
    await text.dispose();
  };
  const memory = await createAgentMemory(own, { folder }).catch(async (error: Error) => {
    await dispose();
    throw error;
  });
  return {
    get size() {
      return memory.size;
    },
    budget: config.lMem,
    turn: turnOf(config.memoryForm),
    add: (said) => memory.add(said),
    search: (query, options) => memory.search(query, options),
    recall: (said) => recalled(memory, own, model, said),
    close: () => memory.close().finally(dispose),
  };
}

/** How a line begins in the form of a memory, if it has a label. */
function turnOf(memoryForm: string): string {
  const { whole, start } = inForm(memoryForm, '');
  const label = whole.slice(0, start).trim();
  return label && `\n${label}`;
}

async function recalled(
  memory: AgentMemory,
  own: KeyValueMemory,
  model: Transformer,
  said: string,
): Promise<RecalledState> {
  const { memories, prefix } = await memory.recall(said);
  const prompt = own.promptIds(said);
  const state = prefix.rows && treeToRecord<NDArray>(stateFromRows(model.options, prefix.rows));
  return { texts: memories, positions: prefix.positions, prompt, state };
}

/** @throws InputError for parameters of a model that keeps its matrices in another form. */
function wholeParameters(params: unknown): TransformerParameters<NDArray> {
  if (typeof params === 'object' && params !== null && 'tokenEmbedding' in params && 'blocks' in params)
    return params as TransformerParameters<NDArray>;
  throw new InputError(
    "The memory 'ams' reads keys and values of models with weights of 32 bits in memory; leave --weights away, or --adapters.",
  );
}
