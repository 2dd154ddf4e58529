import { InputError } from '@palimpsest/base';
import type { JsonObject } from '../../sequence-model.js';
import { missingUnknown, parseVocabulary, type TokenModel } from './token-model.js';
import { WordCache } from './word-cache.js';

const text = (model: JsonObject, key: string, initial: string): string => {
  const value = model[key] ?? initial;
  if (typeof value === 'string') return value;
  throw new InputError(`The tokenizer's 'model.${key}' is ${JSON.stringify(value)}, expected a text.`);
};

/** One id per pre-token, as the vocabulary lists it. */
export class WordLevelModel implements TokenModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly size: number;
  readonly unknownId?: number;

  constructor(model: JsonObject) {
    this.vocabulary = parseVocabulary(model.vocab);
    this.size = this.vocabulary.size;
    const unknown = this.vocabulary.get(text(model, 'unk_token', '<unk>'));
    if (unknown !== undefined) this.unknownId = unknown;
  }

  encode(word: string): readonly number[] {
    const id = this.vocabulary.get(word) ?? this.unknownId;
    if (id === undefined) throw missingUnknown(word);
    return [id];
  }
}

/** The longest pieces from left to right (Schuster & Nakajima 2012, as in BERT); a word that they do not cover is unknown. */
export class WordPieceModel implements TokenModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly size: number;
  readonly unknownId?: number;
  /** Stands before every piece but the first of a word. */
  readonly #prefix: string;
  readonly #longestWord: number;
  /** Code points of the longest token, beyond which no piece needs to be looked for. */
  readonly #longestToken: number;
  readonly #cache = new WordCache();

  constructor(model: JsonObject) {
    this.vocabulary = parseVocabulary(model.vocab);
    this.size = this.vocabulary.size;
    this.#prefix = text(model, 'continuing_subword_prefix', '##');
    const longest = model.max_input_chars_per_word ?? 100;
    if (typeof longest !== 'number' || !(longest >= 0)) {
      throw new InputError(
        `The tokenizer's 'model.max_input_chars_per_word' is ${JSON.stringify(longest)}, expected a number.`,
      );
    }
    this.#longestWord = longest;
    let longestToken = 0;
    for (const token of this.vocabulary.keys()) longestToken = Math.max(longestToken, token.length);
    this.#longestToken = longestToken;
    const unknown = this.vocabulary.get(text(model, 'unk_token', '[UNK]'));
    if (unknown !== undefined) this.unknownId = unknown;
  }

  encode(word: string): readonly number[] {
    return this.#cache.get(word, () => this.#pieces(word) ?? this.#unknown(word));
  }

  #unknown(word: string): number[] {
    if (this.unknownId === undefined) throw missingUnknown(word);
    return [this.unknownId];
  }

  #pieces(word: string): number[] | undefined {
    const characters = [...word];
    if (characters.length > this.#longestWord) return undefined;
    const ids: number[] = [];
    for (let from = 0; from < characters.length; ) {
      let to = Math.min(characters.length, from + this.#longestToken);
      let id: number | undefined;
      for (; to > from && id === undefined; to--) {
        id = this.vocabulary.get((from > 0 ? this.#prefix : '') + characters.slice(from, to).join(''));
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      ids.push(id);
      from = to;
    }
    return ids;
  }
}
