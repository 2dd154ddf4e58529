import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import type { TransformerOptions } from '../config.js';
import { gpt2Config } from './gpt2-config.js';
import { isObject } from './json-file.js';
import { rotaryConfig } from './rotary-config.js';

/** Architectures whose checkpoints can be read. */
export const families = ['gpt2', 'qwen2', 'qwen3', 'llama', 'mistral', 'smollm3', 'gemma3'] as const;
export type Family = (typeof families)[number];

export interface CheckpointConfig {
  readonly family: Family;
  /** The architecture; says nothing about the cache. */
  readonly options: TransformerOptions;
  /** Ids that end a text, as config.json states them. */
  readonly endIds: readonly number[];
  /** Whether it is said that the head is the embedding table, or is not; else the weights tell. */
  readonly statesHead: boolean;
}

/** Names of `model_type` that are no names of families: a language model beside others, and alone. */
const aliases: Readonly<Record<string, Family>> = { gemma3_text: 'gemma3' };

/**
 * Reads a config.json.
 * @param source path of the file, for messages
 * @throws InputError naming the file and the key that is missing, wrong or asks for something that is not supported.
 */
export function parseCheckpointConfig(json: JsonObject, source: string): CheckpointConfig {
  const type = json.model_type;
  const alias = typeof type === 'string' && Object.hasOwn(aliases, type) ? aliases[type] : undefined;
  const family = families.find((name) => name === type) ?? alias;
  if (!family) {
    throw new InputError(
      `${source}: ${type === undefined ? "there is no 'model_type'" : `the model_type ${JSON.stringify(type)} is not supported`}; supported are ${families.join(', ')}.`,
    );
  }
  refuseQuantised(json, source);
  return family === 'gpt2' ? gpt2Config(json, source) : rotaryConfig(family, json, source);
}

/** @throws InputError naming the method of quantised weights, whose numbers mean nothing without it. */
function refuseQuantised(json: JsonObject, source: string): void {
  const key = ['quantization_config', 'compression_config'].find((name) => json[name] ?? false);
  if (key === undefined) return;
  const stated = json[key];
  const { quant_method: method, bits } = isObject(stated) ? stated : { quant_method: stated };
  const how = [
    typeof method === 'string' ? ` by ${method}` : '',
    typeof bits === 'number' ? ` to ${bits} bits` : '',
  ];
  throw new InputError(
    `${source}: the key '${key}' says that the weights are quantised${how.join('')}, which is not read; use the checkpoint that they were made from.`,
  );
}
