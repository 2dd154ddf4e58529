import { InputError } from '@palimpsest/base';
import type { JsonObject, JsonValue } from '../../sequence-model.js';
import { byteIds } from './byte-pair-model.js';
import { missingUnknown, type TokenModel } from './token-model.js';
import { TokenTrie } from './token-trie.js';
import { WordCache } from './word-cache.js';

/** How much less likely an unknown character is than the least likely piece, in nats. */
const UNKNOWN_PENALTY = 10;
const encoder = new TextEncoder();

/** The likeliest pieces under a unigram model (Kudo 2018), found by dynamic programming from left to right. */
export class UnigramModel implements TokenModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly tokens: readonly string[];
  readonly size: number;
  readonly unknownId?: number;
  readonly #scores: Float64Array;
  readonly #trie = new TokenTrie();
  readonly #unknownScore: number;
  readonly #byteIds: readonly (number | undefined)[] | undefined;
  readonly #cache = new WordCache();

  /** @throws InputError naming the entry of the vocabulary that is no pair of a token and its log probability. */
  constructor(model: JsonObject) {
    const entries = parseEntries(model.vocab);
    this.size = entries.length;
    this.tokens = entries.map(([token]) => token);
    this.vocabulary = new Map(entries.map(([token], id) => [token, id]));
    this.#scores = Float64Array.from(entries, ([, score]) => score);
    entries.forEach(([token], id) => {
      this.#trie.add(token, id, true);
    });
    const unknown = unknownIdOf(model.unk_id, entries.length);
    if (unknown !== undefined) this.unknownId = unknown;
    const least = entries.reduce((lowest, [, score]) => Math.min(lowest, score), Number.POSITIVE_INFINITY);
    this.#unknownScore = least - UNKNOWN_PENALTY;
    this.#byteIds = model.byte_fallback === true ? byteIds(this.vocabulary) : undefined;
  }

  encode(word: string): readonly number[] {
    return this.#cache.get(word, () => this.#idsOf(this.#bestPieces(word)));
  }

  /** Pieces of the likeliest path; unknown characters side by side are one piece. */
  #bestPieces(word: string): string[] {
    const { starts, ids } = this.#bestPath(word);
    const pieces: string[] = [];
    let unknownEnd = -1;
    let end = word.length;
    const flush = () => {
      if (unknownEnd >= 0) pieces.push(word.slice(end, unknownEnd));
      unknownEnd = -1;
    };
    while (end > 0) {
      const start = starts[end]!;
      const isUnknown = this.unknownId !== undefined && ids[end] === this.unknownId;
      if (!isUnknown) {
        flush();
        pieces.push(word.slice(start, end));
      } else if (unknownEnd < 0) unknownEnd = end;
      end = start;
    }
    flush();
    return pieces.reverse();
  }

  /** For every end of a character: where the last piece of its best path begins, and that piece's id. */
  #bestPath(word: string): { starts: Int32Array; ids: Int32Array } {
    const scores = new Float64Array(word.length + 1);
    const starts = new Int32Array(word.length + 1).fill(-1);
    const ids = new Int32Array(word.length + 1);
    const offer = (start: number, end: number, id: number, score: number) => {
      if (starts[end]! >= 0 && !(score > scores[end]!)) return;
      scores[end] = score;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < word.length; ) {
      const next = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      let isCovered = false;
      this.#trie.visitPrefixes(word, start, (id, end) => {
        offer(start, end, id, this.#scores[id]! + scores[start]!);
        if (end === next) isCovered = true;
      });
      if (!isCovered) {
        if (this.unknownId === undefined) throw missingUnknown(word.slice(start, next));
        offer(start, next, this.unknownId, this.#unknownScore + scores[start]!);
      }
      start = next;
    }
    return { starts, ids };
  }

  #idsOf(pieces: readonly string[]): number[] {
    return pieces.flatMap((piece) => {
      const id = this.vocabulary.get(piece);
      if (id !== undefined) return [id];
      const bytes = this.#byteIds && Array.from(encoder.encode(piece), (byte) => this.#byteIds![byte]);
      if (bytes && !bytes.includes(undefined)) return bytes as number[];
      if (this.unknownId === undefined) throw missingUnknown(piece);
      return [this.unknownId];
    });
  }
}

function parseEntries(vocab: JsonValue | undefined): [string, number][] {
  if (!Array.isArray(vocab)) {
    throw new InputError("The tokenizer's 'model.vocab' of type Unigram is no list of tokens with scores.");
  }
  return (vocab as JsonValue[]).map((entry, id) => {
    const [token, score] = Array.isArray(entry) ? (entry as JsonValue[]) : [];
    if (typeof token === 'string' && typeof score === 'number') return [token, score];
    throw new InputError(
      `The tokenizer's 'model.vocab[${id}]' is ${JSON.stringify(entry)}, expected a token and its score.`,
    );
  });
}

function unknownIdOf(value: JsonValue | undefined, size: number): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < size) return value;
  throw new InputError(
    `The tokenizer's 'model.unk_id' is ${JSON.stringify(value)}, which is no index of a vocabulary of ${size} entries.`,
  );
}
