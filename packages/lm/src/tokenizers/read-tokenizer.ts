import { InputError, nodeModule, parseJson, readRegularFile, systemReason } from '@palimpsest/base';
import type { JsonObject } from '../sequence-model.js';
import { HuggingFaceTokenizer } from './hugging-face-tokenizer.js';
import { restoreTokenizer } from './restore-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

const NAME = 'tokenizer.json';

/**
 * Reads a tokenizer from a file or from the folder that it is in: `tokenizer.json` of the Hugging Face hub (GPT-2 and its
 * like; a `tokenizer_config.json` beside it names the end token), or one that a checkpoint stored.
 * @throws InputError when there is no such file, or it is not a tokenizer.
 */
export function readTokenizer(path: string): Tokenizer {
  const fs = nodeModule('node:fs');
  const { join, dirname } = nodeModule('node:path');
  const status = fs.statSync(path, { throwIfNoEntry: false });
  const file = status?.isDirectory() ? join(path, NAME) : path;
  if (!fs.existsSync(file)) {
    throw new InputError(`There is no tokenizer '${file}'; expected a ${NAME} or the folder that holds one.`);
  }
  const data = readJson(file);
  const config = join(dirname(file), 'tokenizer_config.json');
  const beside = fs.existsSync(config) ? readJson(config) : endOfText(data);
  try {
    return typeof data.kind === 'string' ? restoreTokenizer(data) : new HuggingFaceTokenizer(data, beside);
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message}`);
  }
}

/** GPT-2's files name no end token, and have one: it is padding too. */
function endOfText(data: JsonObject): JsonObject {
  const added = Array.isArray(data.added_tokens) ? (data.added_tokens as JsonObject[]) : [];
  const content = '<|endoftext|>';
  return added.some((token) => token?.content === content) ? { eos_token: content } : {};
}

function readJson(file: string): JsonObject {
  const data = parseJson(readBytes(file), file);
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data as JsonObject;
  throw new InputError(`'${file}' is not a tokenizer: it holds no JSON object.`);
}

function readBytes(file: string): Uint8Array {
  try {
    return readRegularFile(file);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`'${file}' cannot be read: ${systemReason(error)}.`);
  }
}
