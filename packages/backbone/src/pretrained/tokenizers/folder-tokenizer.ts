import { nodeModule } from '@palimpsest/base';
import { HuggingFaceTokenizer, type JsonObject } from '@palimpsest/lm';
import type { Family } from '../checkpoint-config.js';
import { named, readBinaryFile, readJsonFile, readTextFile } from '../json-file.js';
import { byteLevelTokenizer } from './byte-level-folder.js';
import { type StatedTokenizer, sentencePieceTokenizer } from './sentence-piece-folder.js';
import { statedTokens } from './stated-tokens.js';

export interface FolderTokenizer {
  /** Absent when the folder has none. */
  readonly tokenizer?: HuggingFaceTokenizer;
  /** The file that it was read from. */
  readonly path: string;
  /** Names of special tokens, as tokenizer_config.json has them. */
  readonly config: JsonObject;
  readonly remarks: readonly string[];
}

/**
 * The tokenizer of a folder: tokenizer.json, else tokenizer.model, else vocab.json with merges.txt.
 * @throws InputError naming the file that is damaged or asks for what is not supported.
 */
export async function folderTokenizer(
  folder: string,
  config: JsonObject,
  family: Family,
): Promise<FolderTokenizer> {
  const { join } = nodeModule('node:path');
  const pathOf = (name: string) => join(folder, name);
  const path = pathOf('tokenizer.json');
  const json = await readJsonFile(path);
  if (json) {
    const map = (await readJsonFile(pathOf('special_tokens_map.json'))) ?? {};
    return made(path, { json, config: completed(config, map), remarks: [] });
  }
  const modelPath = pathOf('tokenizer.model');
  const model = await readBinaryFile(modelPath);
  if (!model) return byteLevel(pathOf, config, family);
  return made(modelPath, sentencePieceTokenizer(model, modelPath, await statedTokens(pathOf, config)));
}

/** Names of special tokens that older files have in special_tokens_map.json alone. */
function completed(config: JsonObject, map: JsonObject): JsonObject {
  const stated = Object.entries(config).filter(([, value]) => value !== null);
  const names = Object.entries(map).filter(([key]) => key.endsWith('_token'));
  return { ...config, ...Object.fromEntries([...names, ...stated]) };
}

async function byteLevel(
  pathOf: (name: string) => string,
  config: JsonObject,
  family: Family,
): Promise<FolderTokenizer> {
  const [path, mergesPath] = [pathOf('vocab.json'), pathOf('merges.txt')];
  const [vocab, merges] = [await readJsonFile(path), await readTextFile(mergesPath)];
  if (vocab && merges !== undefined) {
    const stated = await statedTokens(pathOf, config);
    return made(path, byteLevelTokenizer(vocab, merges, mergesPath, stated, family));
  }
  const lacks = (there: string, missing: string) =>
    `${there} stands without ${missing}, so the folder has no tokenizer.`;
  if (vocab) return { path, config, remarks: [lacks(path, 'merges.txt')] };
  return { path, config, remarks: merges === undefined ? [] : [lacks(mergesPath, 'vocab.json')] };
}

const made = (path: string, { json, config, remarks }: StatedTokenizer): FolderTokenizer => ({
  tokenizer: named(path, () => new HuggingFaceTokenizer(json, config)),
  path,
  config,
  remarks,
});
