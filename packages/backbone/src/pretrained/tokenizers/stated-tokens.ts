import { InputError } from '@palimpsest/base';
import type { JsonObject, JsonValue } from '@palimpsest/lm';
import { isObject, readJsonFile } from '../json-file.js';
import { addedToken } from './tokenizer-json.js';

/** What the JSON files beside a vocabulary say of its special and added tokens. */
export interface StatedTokens {
  /** Path of tokenizer_config.json, for messages. */
  readonly source: string;
  /** `tokenizer_config.json`, completed by the names of special_tokens_map.json. */
  readonly config: JsonObject;
  /** Entries of `added_tokens`, by their text. */
  readonly added: ReadonlyMap<string, JsonObject & { readonly id: number }>;
  /** Tokens that the files name as special, whether they have an id here or in the vocabulary. */
  readonly special: ReadonlySet<string>;
}

const NAMES = ['bos', 'eos', 'unk', 'pad', 'sep', 'cls', 'mask'].map((name) => `${name}_token`);
const FLAGS = ['single_word', 'lstrip', 'rstrip'] as const;
const isId = (value: JsonValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/**
 * Reads special_tokens_map.json and added_tokens.json, and takes what tokenizer_config.json says of added tokens.
 * @param join the path of a file in the folder
 * @throws InputError naming the file and the entry that is wrong.
 */
export async function statedTokens(
  join: (name: string) => string,
  tokenizerConfig: JsonObject,
): Promise<StatedTokens> {
  const map = (await readJsonFile(join('special_tokens_map.json'))) ?? {};
  const source = join('tokenizer_config.json');
  const config = { ...map, ...tokenizerConfig };
  const special = new Set(
    [...NAMES.map((name) => config[name]), ...listOf(config.additional_special_tokens)].flatMap((entry) => {
      const text = textOf(entry);
      return text === undefined ? [] : [text];
    }),
  );
  const added = new Map<string, JsonObject & { readonly id: number }>();
  const addedPath = join('added_tokens.json');
  for (const [text, id] of Object.entries((await readJsonFile(addedPath)) ?? {})) {
    if (!isId(id))
      throw new InputError(
        `${addedPath}: ${JSON.stringify(text)} has ${JSON.stringify(id)} in place of an id.`,
      );
    added.set(text, { ...addedToken(id, text, special.has(text)), id });
  }
  for (const entry of decoderEntries(tokenizerConfig.added_tokens_decoder, source)) {
    added.set(entry.content, entry);
    if (entry.special) special.add(entry.content);
  }
  return { source, config, added, special };
}

function decoderEntries(decoder: JsonValue | undefined, path: string) {
  if (decoder === undefined || decoder === null) return [];
  const key = `${path}: the key 'added_tokens_decoder'`;
  if (!isObject(decoder)) throw new InputError(`${key} does not map ids to tokens.`);
  return Object.entries(decoder).map(([name, entry]) => {
    const id = Number(name);
    const content = textOf(entry);
    if (!isId(id) || !isObject(entry) || content === undefined) {
      throw new InputError(
        `${key} maps ${JSON.stringify(name)} to ${JSON.stringify(entry)}, expected an id and a token.`,
      );
    }
    const isSpecial = entry.special === true;
    const flags = Object.fromEntries(FLAGS.map((flag) => [flag, entry[flag] === true]));
    return { ...addedToken(id, content, isSpecial), ...flags, id, content, special: isSpecial };
  });
}

const listOf = (value: JsonValue | undefined): readonly JsonValue[] =>
  Array.isArray(value) ? (value as readonly JsonValue[]) : [];

/** The text of a token, which is written alone or with its flags. */
export function textOf(entry: JsonValue | undefined): string | undefined {
  const text = isObject(entry) ? entry.content : entry;
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/**
 * The `added_tokens` of a tokenizer: what its vocabulary adds itself, what the files add, and special tokens that stand in the
 * vocabulary. Special tokens without an id are numbered behind all others.
 * @param idOf the id of a token in the vocabulary
 * @param size ids of the vocabulary
 */
export function addedTokens(
  stated: StatedTokens,
  own: readonly JsonObject[],
  idOf: (token: string) => number | undefined,
  size: number,
): (JsonObject & { readonly id: number; readonly content: string })[] {
  const entries = new Map<string, JsonObject & { id: number; content: string }>();
  const put = (content: string, id: number, entry: JsonObject) =>
    entries.set(content, {
      ...entry,
      content,
      id,
      special: entry.special === true || stated.special.has(content),
    });
  for (const entry of own) put(String(entry.content), Number(entry.id), entry);
  for (const [content, entry] of stated.added) put(content, entry.id, entry);
  let next = [...entries.values()].reduce((largest, { id }) => Math.max(largest, id), size - 1) + 1;
  for (const content of stated.special) {
    if (entries.has(content)) continue;
    const id = idOf(content) ?? next++;
    put(content, id, addedToken(id, content, true));
  }
  return [...entries.values()].sort((a, b) => a.id - b.id);
}

/** A flag of tokenizer_config.json. @throws InputError when it is neither true nor false. */
export function flagIn({ config, source }: StatedTokens, key: string, absent: boolean): boolean {
  const value = config[key] ?? absent;
  if (typeof value === 'boolean') return value;
  throw new InputError(`${source}: the key '${key}' is ${JSON.stringify(value)}, expected true or false.`);
}
