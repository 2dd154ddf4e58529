import { InputError, nodeModule } from '@palimpsest/base';
import type { HuggingFaceTokenizer, JsonObject, JsonValue } from '@palimpsest/lm';
import {
  type CacheOptions,
  resolveConfig,
  type TransformerConfig,
  type TransformerOptions,
} from '../config.js';
import { type ChatTemplate, findChatTemplate } from './chat-template.js';
import { type CheckpointConfig, parseCheckpointConfig } from './checkpoint-config.js';
import { isObject, named, readJsonFile, readTextFile, requireJsonFile } from './json-file.js';
import { folderTokenizer } from './tokenizers/folder-tokenizer.js';

/** Everything in a checkpoint but the weights. */
export interface Checkpoint extends CheckpointConfig {
  readonly folder: string;
  readonly config: TransformerConfig;
  /** Absent when the folder has no tokenizer: the model then reads ids, and no text. */
  readonly tokenizer?: HuggingFaceTokenizer | undefined;
  readonly chatTemplate?: ChatTemplate | undefined;
  readonly generationConfig: JsonObject;
  /** One sentence per oddity of the files beside the weights. */
  readonly warnings: readonly string[];
}

/** Cache slots of models whose context is longer, unless others are asked for. */
const DEFAULT_CAPACITY = 4096;

/** @throws InputError naming the file and the key that is missing or wrong. */
export async function readCheckpointFolder(folder: string, cache: CacheOptions = {}): Promise<Checkpoint> {
  const { join } = nodeModule('node:path');
  const configPath = join(folder, 'config.json');
  const checkpoint = parseCheckpointConfig(
    await requireJsonFile(configPath, 'describes the architecture'),
    configPath,
  );
  const generationPath = join(folder, 'generation_config.json');
  const generationConfig = (await readJsonFile(generationPath)) ?? {};
  const tokenizerConfig = (await readJsonFile(join(folder, 'tokenizer_config.json'))) ?? {};
  const text = await folderTokenizer(folder, tokenizerConfig, checkpoint.family);
  const { tokenizer } = text;
  const chatTemplate = findChatTemplate(
    await readTextFile(join(folder, 'chat_template.jinja')),
    text.config,
    folder,
  );
  const endIds = endIdsOf(generationConfig, generationPath, checkpoint, tokenizer);
  return {
    ...checkpoint,
    endIds,
    folder,
    config: named(configPath, () =>
      resolveConfig({ ...checkpoint.options, ...cacheOf(checkpoint.options, cache) }),
    ),
    tokenizer,
    warnings: [
      ...strayEnds(endIds, checkpoint.options),
      ...text.remarks,
      ...(tokenizer ? tokenizerWarnings(tokenizer, checkpoint.options, text.path) : []),
    ],
    chatTemplate,
    generationConfig,
  };
}

/** @throws InputError for more slots than the checkpoint has learned positions. */
export function cacheOf(options: TransformerOptions, cache: CacheOptions): CacheOptions {
  const slots = cache.window || cache.capacity;
  if (options.positions === 'learned' && slots && slots > options.context!) {
    throw new InputError(
      `the key 'n_positions' is ${options.context}, so a cache of ${slots} slots has too many; ask for at most ${options.context}.`,
    );
  }
  if (cache.window || cache.capacity !== undefined) return cache;
  return { ...cache, capacity: Math.min(options.context!, DEFAULT_CAPACITY) };
}

/** What the tokenizer says of itself, and ids that the model has no rows for. */
export function tokenizerWarnings(
  tokenizer: HuggingFaceTokenizer,
  options: TransformerOptions,
  path: string,
): string[] {
  const { vocabSize } = tokenizer;
  const tooMany = `${path} has the ids 0 to ${vocabSize - 1}, but the model has a vocabulary of ${options.vocabSize}: texts whose tokens lie beyond it cannot be read.`;
  return [...tokenizer.remarks, ...(vocabSize > options.vocabSize ? [tooMany] : [])];
}

/** End ids of generation_config.json, else of config.json, else of tokenizer_config.json. */
function endIdsOf(
  generationConfig: JsonObject,
  path: string,
  { endIds }: CheckpointConfig,
  tokenizer: HuggingFaceTokenizer | undefined,
): readonly number[] {
  const stated = generationConfig.eos_token_id;
  if (stated !== undefined && stated !== null) return idList(stated, path);
  if (endIds.length > 0) return endIds;
  return tokenizer?.endId === undefined ? [] : [tokenizer.endId];
}

/** A remark about ids that are said to end a text and that the model cannot write. */
function strayEnds(endIds: readonly number[], { vocabSize }: TransformerOptions): string[] {
  const stray = endIds.filter((id) => id < 0 || id >= vocabSize);
  if (stray.length === 0) return [];
  return [
    `The key 'eos_token_id' names ${stray.slice(0, 3).join(', ')}, but the ids of the model are 0 to ${vocabSize - 1}: texts do not end there.`,
  ];
}

function idList(value: JsonValue, path: string): number[] {
  const list = Array.isArray(value) ? (value as JsonValue[]) : [value];
  if (!isObject(value) && list.every((id) => Number.isSafeInteger(id))) return list as number[];
  throw new InputError(
    `${path}: the key 'eos_token_id' is ${JSON.stringify(value)}, not an id or a list of ids.`,
  );
}
