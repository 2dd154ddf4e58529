import { InputError } from '@palimpsest/base';
import type { JsonObject, JsonValue } from '../../sequence-model.js';
import { BytePairMerger } from './byte-pair-merger.js';
import { IndependentParts } from './independent-parts.js';
import { MergeTable } from './merge-table.js';
import { missingUnknown, parseVocabulary, type TokenModel } from './token-model.js';
import { WordCache } from './word-cache.js';

/** Words longer than this, in UTF-16 units, are cut where no merge reaches across. */
const LONG = 256;
const encoder = new TextEncoder();

/** Byte-pair encoding by merge rank (Sennrich et al. 2016), as the `model` of a tokenizer.json describes it. */
export class BytePairModel implements TokenModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly size: number;
  readonly unknownId?: number;
  readonly #merger: BytePairMerger;
  readonly #cache = new WordCache();
  readonly #byteIds: readonly (number | undefined)[] | undefined;
  readonly #ignoreMerges: boolean;
  readonly #fuseUnknown: boolean;
  readonly #unknownToken: string | undefined;
  /** Stands before every character but the first of a word, in the vocabulary. */
  readonly #prefix: string;
  /** Stands after the last character of a word, in the vocabulary. */
  readonly #suffix: string;
  readonly #merges: readonly JsonValue[];
  #parts: IndependentParts | undefined;

  /** @throws InputError for a vocabulary and merges that do not fit together, or merges that are dropped at random. */
  constructor(model: JsonObject) {
    if (typeof model.dropout === 'number' && model.dropout > 0) {
      throw new InputError(
        `The tokenizer's 'model.dropout' is ${model.dropout}: it drops merges at random, so that a text has no ids of its own; set it to null.`,
      );
    }
    this.vocabulary = parseVocabulary(model.vocab);
    this.size = this.vocabulary.size;
    this.#prefix = textOrNothing(model, 'continuing_subword_prefix');
    this.#suffix = textOrNothing(model, 'end_of_word_suffix');
    this.#byteIds = flagOf(model, 'byte_fallback') ? byteIds(this.vocabulary) : undefined;
    this.#ignoreMerges = flagOf(model, 'ignore_merges');
    this.#fuseUnknown = flagOf(model, 'fuse_unk');
    this.#unknownToken = textOrNothing(model, 'unk_token') || undefined;
    const unknown = this.#unknownToken === undefined ? undefined : this.vocabulary.get(this.#unknownToken);
    if (unknown !== undefined) this.unknownId = unknown;
    if (!Array.isArray(model.merges)) throw new InputError("The tokenizer's 'model' has no list 'merges'.");
    this.#merges = model.merges as JsonValue[];
    this.#merger = new BytePairMerger(this.#tableOfMerges());
  }

  encode(word: string): readonly number[] {
    if (!this.#isLong(word)) return this.#encodeWhole(word);
    const ids: number[] = [];
    for (const part of this.parts(word)) for (const id of part) ids.push(id);
    return ids;
  }

  *parts(word: string): Generator<readonly number[]> {
    const whole = this.#ignoreMerges ? this.vocabulary.get(word) : undefined;
    if (whole !== undefined || !this.#isLong(word)) {
      yield this.#encodeWhole(word);
      return;
    }
    this.#parts ??= new IndependentParts(
      this.vocabulary,
      this.#merges.map((merge, rank) => this.#joined(pairOf(merge, rank))),
    );
    for (const part of this.#parts.cut(word)) yield this.#encodePart(part);
  }

  #isLong(word: string): boolean {
    return word.length > LONG && this.#prefix === '' && this.#suffix === '';
  }

  #encodeWhole(word: string): readonly number[] {
    const whole = this.#ignoreMerges ? this.vocabulary.get(word) : undefined;
    return whole === undefined ? this.#encodePart(word) : [whole];
  }

  #encodePart(part: string): readonly number[] {
    return this.#cache.get(part, () => this.#merger.merge(this.#initialIds(part)));
  }

  #tableOfMerges(): MergeTable {
    const { vocabulary } = this;
    const table = new MergeTable(this.#merges.length);
    this.#merges.forEach((merge, rank) => {
      const pair = pairOf(merge, rank);
      const left = vocabulary.get(pair[0]);
      const right = vocabulary.get(pair[1]);
      const result = vocabulary.get(this.#joined(pair));
      if (left === undefined || right === undefined || result === undefined) {
        throw new InputError(
          `The tokenizer's 'model.merges[${rank}]' (${JSON.stringify(merge)}) joins tokens that are not in the vocabulary, or makes one that is not.`,
        );
      }
      table.set(left, right, rank, result);
    });
    return table;
  }

  #joined([left, right]: readonly [string, string]): string {
    return left + (this.#prefix === '' ? right : right.slice(this.#prefix.length));
  }

  /** Ids of the characters; one without an entry becomes its bytes, or the unknown token, or nothing. */
  #initialIds(word: string): number[] {
    const ids: number[] = [];
    let isUnknownPending = false;
    let at = 0;
    for (const character of word) {
      const isFirst = at === 0;
      at += character.length;
      const spelled = this.#spell(character, isFirst, at === word.length);
      const own = this.vocabulary.get(spelled);
      if (own !== undefined) {
        // The unknown token is written when a known one follows, after bytes that stand between them.
        if (isUnknownPending) ids.push(this.unknownId!);
        isUnknownPending = false;
        ids.push(own);
        continue;
      }
      const bytes = this.#bytesOf(spelled);
      if (bytes !== undefined) ids.push(...bytes);
      else if (this.#unknownToken !== undefined) {
        if (this.unknownId === undefined) throw missingUnknown(character);
        if (isUnknownPending && !this.#fuseUnknown) ids.push(this.unknownId);
        isUnknownPending = true;
      }
    }
    if (isUnknownPending) ids.push(this.unknownId!);
    return ids;
  }

  #spell(character: string, isFirst: boolean, isLast: boolean): string {
    const begun = isFirst ? character : this.#prefix + character;
    return isLast ? begun + this.#suffix : begun;
  }

  #bytesOf(spelled: string): number[] | undefined {
    if (!this.#byteIds) return undefined;
    const ids = Array.from(encoder.encode(spelled), (byte) => this.#byteIds![byte]);
    return ids.includes(undefined) ? undefined : (ids as number[]);
  }
}

/** Ids of the tokens `<0x00>` to `<0xFF>`, where there are such. */
export function byteIds(vocabulary: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
}

function pairOf(merge: JsonValue, rank: number): readonly [string, string] {
  if (typeof merge === 'string') {
    const blank = merge.indexOf(' ');
    if (blank >= 0 && merge.indexOf(' ', blank + 1) < 0)
      return [merge.slice(0, blank), merge.slice(blank + 1)];
  } else if (Array.isArray(merge)) {
    const [left, right, ...others] = merge as JsonValue[];
    if (typeof left === 'string' && typeof right === 'string' && others.length === 0) return [left, right];
  }
  throw new InputError(
    `The tokenizer's 'model.merges[${rank}]' is ${JSON.stringify(merge)}, expected two tokens, as "t h" or ["t", "h"].`,
  );
}

function textOrNothing(model: JsonObject, key: string): string {
  const value = model[key] ?? '';
  if (typeof value === 'string') return value;
  throw new InputError(`The tokenizer's 'model.${key}' is ${JSON.stringify(value)}, expected a text.`);
}

/** @throws InputError for what is neither true nor false; null and nothing are false. */
function flagOf(model: JsonObject, key: string): boolean {
  const value = model[key] ?? false;
  if (typeof value === 'boolean') return value;
  throw new InputError(`The tokenizer's 'model.${key}' is ${JSON.stringify(value)}, expected true or false.`);
}
