import type { JsonObject } from '@palimpsest/lm';

/** How a byte-level tokenizer cuts a text into words. */
export interface PreTokenizer {
  readonly preTokenizer: JsonObject;
  readonly normalizer: JsonObject | null;
  /** A word that is a token is taken whole. */
  readonly ignoreMerges: boolean;
  /** Texts begin with the begin token unless the file says otherwise. */
  readonly addsBegin: boolean;
}

const byteLevel = (regex: boolean): JsonObject => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: regex,
});

const sequence = (...pretokenizers: JsonObject[]): JsonObject => ({ type: 'Sequence', pretokenizers });

const splitBy = (expression: string): JsonObject =>
  sequence(
    { type: 'Split', pattern: { Regex: expression }, behavior: 'Isolated', invert: false },
    byteLevel(false),
  );

/** Contractions, words, up to so many digits, punctuation with the lines it ends, white space. */
const words = (digits: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** Words by their case, as Mistral's newer models cut them. */
const casedWords = [
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+',
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*',
  '\\p{N}',
  ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*',
  '\\s*[\\r\\n]+',
  '\\s+(?!\\S)',
  '\\s+',
].join('|');

const plain = { normalizer: null, ignoreMerges: false, addsBegin: false };

const gpt2: PreTokenizer = { ...plain, preTokenizer: byteLevel(true) };
const llama3: PreTokenizer = {
  ...plain,
  preTokenizer: splitBy(words('\\p{N}{1,3}')),
  ignoreMerges: true,
  addsBegin: true,
};
const qwen2: PreTokenizer = { ...plain, preTokenizer: splitBy(words('\\p{N}')), normalizer: { type: 'NFC' } };
const smollm: PreTokenizer = {
  ...plain,
  preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
};
const tekken: PreTokenizer = {
  ...plain,
  preTokenizer: splitBy(casedWords),
  ignoreMerges: true,
  addsBegin: true,
};

/** By the names that GGUF files state. */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': gpt2,
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  'smaug-bpe': { ...llama3, ignoreMerges: false, addsBegin: false },
  qwen2,
  'deepseek-r1-qwen': qwen2,
  smollm,
  tekken,
};
/** Names of what files without a statement have, by their architecture. */
export const usualPreTokenizers: Readonly<Record<string, string>> = {
  qwen2: 'qwen2',
  qwen3: 'qwen2',
  smollm3: 'llama-bpe',
};
