import type { JsonObject } from '@palimpsest/lm';
import { generateSession } from './generate-session.js';
import { isListed, type Pack, wordsOfSplit } from './pack.js';

/** Entries of the vocabulary, the end token among them. */
export const POCKET_VOCABULARY = 2048;
export const END_TOKEN = '<|endoftext|>';

const SESSIONS = 900;
/** How often every listed word is added, so that most become single tokens. */
const REPEATS = 60;
/** Pairs that occur less often are not merged. */
const LEAST_COUNT = 2;

/** Qwen2's pattern, as its tokenizer.json has it. */
const PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const SPLIT =
  /'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** What the tokenizer of the offline backbone learns from: lines of sessions, and every listed word many times. */
export function tokenizerCorpus(pack: Pack): string[] {
  const pieces: string[] = [];
  for (let seed = 0; seed < SESSIONS; seed++) {
    const { facts, queries } = generateSession(pack, { seed, facts: 20, split: 'all', updateRate: 0.1 });
    for (const { text } of facts) pieces.push(`User: ${text}\n`);
    for (const { text, answer } of queries) pieces.push(`User: ${text}\nAssistant: ${answer}\n`);
  }
  for (const type of Object.values(pack.entityTypes)) {
    if (!isListed(type)) continue;
    for (const word of wordsOfSplit(type, 'all')) for (let i = 0; i < REPEATS; i++) pieces.push(` ${word}`);
  }
  return pieces;
}

/** The printable character that stands for a byte, as GPT-2's vocabulary has it. */
function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** A word of the corpus as symbols, with how often it occurs. */
interface CountedWord {
  symbols: string[];
  readonly count: number;
}

function countedWords(pieces: readonly string[], characters: readonly string[]): CountedWord[] {
  const counts = new Map<string, number>();
  for (const piece of pieces) {
    for (const [word] of piece.normalize('NFC').matchAll(SPLIT))
      counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const bytes = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(bytes.encode(word), (byte) => characters[byte]!),
    count,
  }));
}

const SEPARATOR = ' ';

/** Code point order, which comparing strings by code units is not beyond U+FFFF. */
const before = (a: string, b: string): boolean => {
  const [x, y] = [[...a], [...b]];
  const at = x.findIndex((character, i) => character !== y[i]);
  if (at === -1) return x.length < y.length;
  return y[at] !== undefined && x[at]!.codePointAt(0)! < y[at]!.codePointAt(0)!;
};

/**
 * Merges of byte-level BPE: again and again the most frequent adjacent pair, of equal ones the one whose first symbol comes first, then
 * whose second does.
 * @returns pairs as `first second`
 */
export function learnMerges(pieces: readonly string[], most: number): string[] {
  const words = countedWords(pieces, byteCharacters());
  const counts = new Map<string, number>();
  const places = new Map<string, Set<CountedWord>>();
  const note = (word: CountedWord, sign: 1 | -1) => {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const pair = word.symbols[i]! + SEPARATOR + word.symbols[i + 1]!;
      counts.set(pair, (counts.get(pair) ?? 0) + sign * word.count);
      if (sign === 1) places.set(pair, (places.get(pair) ?? new Set()).add(word));
    }
  };
  for (const word of words) note(word, 1);
  const merges: string[] = [];
  while (merges.length < most) {
    const best = mostFrequent(counts);
    if (best === undefined) break;
    merges.push(best);
    const [first, second] = best.split(SEPARATOR) as [string, string];
    for (const word of places.get(best) ?? []) {
      note(word, -1);
      word.symbols = merged(word.symbols, first, second);
      note(word, 1);
    }
    counts.delete(best);
    places.delete(best);
  }
  return merges;
}

function mostFrequent(counts: ReadonlyMap<string, number>): string | undefined {
  let best: string | undefined;
  let most = LEAST_COUNT - 1;
  for (const [pair, count] of counts) {
    if (count < most || count < LEAST_COUNT) continue;
    if (count > most || best === undefined || pairBefore(pair, best)) {
      best = pair;
      most = count;
    }
  }
  return best;
}

function pairBefore(a: string, b: string): boolean {
  const [a1, a2] = a.split(SEPARATOR) as [string, string];
  const [b1, b2] = b.split(SEPARATOR) as [string, string];
  return a1 === b1 ? before(a2, b2) : before(a1, b1);
}

function merged(symbols: readonly string[], first: string, second: string): string[] {
  const result: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === first && symbols[i + 1] === second) {
      result.push(first + second);
      i += 1;
    } else result.push(symbols[i]!);
  }
  return result;
}

/** Symbols by id: the bytes, then the merges. */
export const vocabularyOf = (merges: readonly string[]): string[] => [
  ...byteCharacters(),
  ...merges.map((pair) => pair.replace(SEPARATOR, '')),
];

/** A tokenizer.json in the form of Qwen2, from merges. */
export function pocketTokenizer(merges: readonly string[]): JsonObject {
  const symbols = vocabularyOf(merges);
  const end = symbols.length;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: end,
        content: END_TOKEN,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(symbols.map((symbol, id) => [symbol, id])),
      merges: [...merges],
    },
  };
}

/** The tokenizer of the offline backbone, learned from sessions of a pack. */
export const trainPocketTokenizer = (pack: Pack): JsonObject =>
  pocketTokenizer(learnMerges(tokenizerCorpus(pack), POCKET_VOCABULARY - 257));
