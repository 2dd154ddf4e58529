import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import type { Family } from '../checkpoint-config.js';
import { type PreTokenizer, preTokenizers, usualPreTokenizers } from './pre-tokenizers.js';
import type { StatedTokenizer } from './sentence-piece-folder.js';
import { addedTokens, flagIn, type StatedTokens, textOf } from './stated-tokens.js';
import { byteLevelDecoder, framing, tokenizerJson, withAdded } from './tokenizer-json.js';

/** Names of the tokenizers that have such files. */
const classes: Readonly<Record<string, string>> = { GPT2Tokenizer: 'gpt-2', Qwen2Tokenizer: 'qwen2' };
/** Names that say nothing about the tokenizer. */
const GENERIC = ['PreTrainedTokenizer', 'AutoTokenizer', 'TokenizersBackend'];
const END = '<|endoftext|>';
/** Special tokens that the tokenizers have unless the files name others. */
const usualNames: Readonly<Record<string, readonly string[]>> = {
  'gpt-2': ['bos_token', 'eos_token', 'unk_token'],
  qwen2: ['eos_token', 'unk_token', 'pad_token'],
};

/**
 * The byte-level tokenizer of a `vocab.json` and a `merges.txt` (Radford et al. 2019), with the added tokens of the JSON files
 * beside them. How words are cut follows from `tokenizer_class`, else from the architecture.
 * @param mergesPath of merges.txt, for messages
 * @throws InputError when the files are damaged or do not fit together, or nothing tells how words are cut.
 */
export function byteLevelTokenizer(
  vocab: JsonObject,
  mergesText: string,
  mergesPath: string,
  stated: StatedTokens,
  family: Family,
): StatedTokenizer {
  const name = wordsOf(stated, family);
  const ids = new Map(Object.entries(vocab).map(([token, id]) => [token, Number(id)]));
  const config = withNames(stated, name, ids);
  const named = { ...stated, config, special: new Set([...stated.special, ...namedIn(config, name)]) };
  const size = [...ids.values()].reduce((largest, id) => Math.max(largest, id), -1) + 1;
  const added = addedTokens(named, [], (token) => ids.get(token), size);
  const { normalizer, ignoreMerges, addsBegin, preTokenizer } = preTokenizerOf(name, stated);
  const model = { type: 'BPE', ignore_merges: ignoreMerges, vocab, merges: mergesOf(mergesText, mergesPath) };
  const parts = withAdded({ model, normalizer, preTokenizer, decoder: byteLevelDecoder }, added);
  const idOf = (key: string) => added.find(({ content }) => content === textOf(config[key]))?.id;
  const around = framing(
    Object.fromEntries(added.map(({ id, content }) => [id, content])),
    flagIn(stated, 'add_bos_token', addsBegin) ? idOf('bos_token') : undefined,
    flagIn(stated, 'add_eos_token', false) ? idOf('eos_token') : undefined,
  );
  return { json: tokenizerJson(parts, added, around), config, remarks: [] };
}

/** Name of the way to cut words. */
function wordsOf({ config, source }: StatedTokens, family: Family): string {
  const given = config.tokenizer_class;
  const plain = typeof given === 'string' ? given.replace(/Fast$/, '') : undefined;
  if (plain !== undefined && Object.hasOwn(classes, plain)) return classes[plain]!;
  const usual = family === 'gpt2' ? 'gpt-2' : usualPreTokenizers[family];
  if ((plain === undefined || GENERIC.includes(plain)) && usual !== undefined) return usual;
  throw new InputError(
    `${source}: the key 'tokenizer_class' is ${JSON.stringify(given ?? null)}, which for a model of the family ${family} does not tell how words are cut; supported are ${Object.keys(classes).join(' and ')}, and a tokenizer.json tells it by itself.`,
  );
}

function preTokenizerOf(name: string, stated: StatedTokens): PreTokenizer {
  const words = preTokenizers[name]!;
  if (!flagIn(stated, 'add_prefix_space', false)) return words;
  if (name === 'gpt-2') return { ...words, preTokenizer: { ...words.preTokenizer, add_prefix_space: true } };
  throw new InputError(
    `${stated.source}: the key 'add_prefix_space' is true, which is not supported where words are cut as '${name}' does.`,
  );
}

function withNames(
  { config, added }: StatedTokens,
  name: string,
  ids: ReadonlyMap<string, number>,
): JsonObject {
  if (!ids.has(END) && !added.has(END)) return config;
  return { ...Object.fromEntries((usualNames[name] ?? []).map((key) => [key, END])), ...config };
}

const namedIn = (config: JsonObject, name: string): string[] =>
  (usualNames[name] ?? []).flatMap((key) => textOf(config[key]) ?? []);

/** Pairs of tokens, one a line, behind a first line that may state the version. @throws InputError naming the line. */
function mergesOf(text: string, path: string): string[][] {
  return text.split('\n').flatMap((given, index) => {
    const line = given.endsWith('\r') ? given.slice(0, -1) : given;
    if (line === '' || (index === 0 && line.startsWith('#version'))) return [];
    const pair = line.split(' ');
    if (pair.length === 2 && pair.every((token) => token !== '')) return [pair];
    throw new InputError(
      `${path}: line ${index + 1} is ${JSON.stringify(line.slice(0, 60))}, expected two tokens with a blank between them.`,
    );
  });
}
