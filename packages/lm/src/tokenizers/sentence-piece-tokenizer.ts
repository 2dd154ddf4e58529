import { InputError } from '@palimpsest/tensor-core';
import { type BytesOf, decodePieces, streamPieces } from './byte-pieces.js';
import { TokenChain } from './token-chain.js';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';
import { type Merge, trainMerges } from './train-merges.js';

/** Stands for a blank inside pieces, as in `▁the`. */
export const BLANK_MARK = '\u2581';

/** Ids that are no text: unknown characters, begin and end of a text. */
const CONTROLS = 3;
const UNKNOWN_ID = 0;
const END_ID = 2;
/** What an unknown character is decoded to. */
const UNKNOWN_TEXT = ' \u2047 ';
/** A word with the blank before it, further blanks, other white space: no piece spans two of them. */
const UNITS = /\u2581?[^\u2581\s]+|\u2581+(?![^\u2581\s])|\s+/gu;

export interface SentencePieceOptions {
  /** Pieces in all: 3 controls, 256 bytes unless `byteFallback` is off, characters, merges. Default 4096. */
  readonly vocabSize?: number;
  /** Share of the text whose characters, the most frequent ones, get pieces of their own. Default 0.9995. */
  readonly characterCoverage?: number;
  /** Other characters are spelled in bytes; without it they are all `<unk>`, and lost. Default true. */
  readonly byteFallback?: boolean;
  /** Put a blank before every text, so that its first word is the piece that it is inside. Default false. */
  readonly dummyPrefix?: boolean;
}

type Settings = Required<Pick<SentencePieceOptions, 'byteFallback' | 'dummyPrefix'>>;

/**
 * SentencePiece-style byte-pair encoding (Kudo & Richardson 2018): pieces of characters, where a blank is the mark `▁` at
 * the start of the word after it. Ids 0-2 are `<unk>`, `<s>` and `</s>`, then 256 bytes for characters without a piece, then
 * the characters, then one id per merge. With bytes `decode(encode(text)) = text` for every well-formed string, white space
 * included.
 */
export class SentencePieceTokenizer implements Tokenizer {
  readonly kind = 'sentence-piece';
  readonly vocabSize: number;
  readonly startId = END_ID;
  readonly endId = END_ID;
  readonly #settings: Settings;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #firstCharacter: number;
  readonly #pieces: readonly string[];

  /**
   * @param characters those with pieces of their own, `▁` for the blank.
   * @throws InputError when a merge uses an id that is not made before it.
   */
  constructor(
    readonly characters: readonly string[],
    readonly merges: readonly Merge[],
    settings: Partial<Settings> = {},
  ) {
    const { byteFallback = true, dummyPrefix = false } = settings;
    this.#settings = { byteFallback, dummyPrefix };
    this.#firstCharacter = firstCharacterOf(this.#settings.byteFallback);
    this.#ids = new Map(characters.map((character, index) => [character, this.#firstCharacter + index]));
    this.#pieces = this.#spell();
    this.vocabSize = this.#firstCharacter + this.#pieces.length;
  }

  /**
   * Learns characters and merges from texts.
   * @throws InputError when the vocabulary cannot hold the characters that must be covered.
   */
  static train(
    texts: string | readonly string[],
    options: SentencePieceOptions = {},
  ): SentencePieceTokenizer {
    const {
      vocabSize = 4096,
      characterCoverage = 0.9995,
      byteFallback = true,
      dummyPrefix = false,
    } = options;
    if (!(characterCoverage > 0 && characterCoverage <= 1)) {
      throw new InputError(
        `The character coverage is a share above 0 and up to 1, but ${characterCoverage} was given.`,
      );
    }
    const units = (typeof texts === 'string' ? [texts] : texts).flatMap((text) => unitsOf(text, dummyPrefix));
    const characters = coveredCharacters(units, characterCoverage);
    const reserved = firstCharacterOf(byteFallback) + characters.length;
    if (!Number.isInteger(vocabSize) || vocabSize < reserved || vocabSize > 2 ** 20) {
      throw new InputError(
        `This text has ${characters.length} characters to cover, so choose a vocabulary size from ${reserved} to 1048576, not ${vocabSize}.`,
      );
    }
    const plain = new SentencePieceTokenizer(characters, [], { byteFallback, dummyPrefix });
    // What has no piece of its own takes part in no merge.
    const covered = units.flatMap((unit) => plain.#coveredRuns(unit));
    const merges = trainMerges(covered, reserved, vocabSize - reserved);
    return new SentencePieceTokenizer(characters, merges, { byteFallback, dummyPrefix });
  }

  encode(text: string): Int32Array {
    const units = unitsOf(text, this.#settings.dummyPrefix).map((unit) => this.#spellUnit(unit));
    const chain = new TokenChain(units);
    const first = this.#firstCharacter + this.characters.length;
    this.merges.forEach(([left, right], rank) => {
      chain.merge(left, right, first + rank);
    });
    return chain.ids();
  }

  unknownCharacters(text: string): string[] {
    if (this.#settings.byteFallback) return [];
    const marks = [...new Set(unitsOf(text, false).join(''))];
    return marks.filter((character) => !this.#ids.has(character)).map(plainOf);
  }

  decode(ids: ArrayLike<number>): string {
    return this.#withoutPrefix(decodePieces(ids, this.#bytesOf));
  }

  streamingDecoder(): StreamingDecoder {
    const decoder = streamPieces(this.#bytesOf);
    let isFirst = true;
    const give = (text: string) => {
      if (text === '' || !isFirst) return text;
      isFirst = false;
      return this.#withoutPrefix(text);
    };
    return { push: (id) => give(decoder.push(id)), flush: () => give(decoder.flush()) };
  }

  /** The piece of an id, as in `▁the`, `<0x0A>`, `</s>`. @throws InputError for an id outside the vocabulary. */
  pieceOf(id: number): string {
    if (id >= 0 && id < CONTROLS) return ['<unk>', '<s>', '</s>'][id]!;
    const piece = this.#pieces[id - this.#firstCharacter];
    if (piece !== undefined) return piece;
    if (id >= CONTROLS && id < this.#firstCharacter) {
      return `<0x${(id - CONTROLS).toString(16).toUpperCase().padStart(2, '0')}>`;
    }
    throw new InputError(
      `The id ${id} is outside the vocabulary of ${this.vocabSize}; ids are 0 to ${this.vocabSize - 1}.`,
    );
  }

  toJSON(): TokenizerData {
    const { kind, characters, merges } = this;
    return { kind, characters, merges, ...this.#settings };
  }

  readonly #bytesOf: BytesOf = (id) => {
    const piece = this.pieceOf(id);
    if (id === UNKNOWN_ID) return utf8(UNKNOWN_TEXT);
    if (id < CONTROLS) return new Uint8Array(0);
    return id < this.#firstCharacter ? Uint8Array.of(id - CONTROLS) : utf8(piece.replaceAll(BLANK_MARK, ' '));
  };

  #withoutPrefix(text: string): string {
    return this.#settings.dummyPrefix && text.startsWith(' ') ? text.slice(1) : text;
  }

  /** Ids of the characters of a unit, bytes or `<unk>` for those without a piece. */
  #spellUnit(unit: string): number[] {
    return [...unit].flatMap((character) => {
      const id = this.#ids.get(character);
      if (id !== undefined) return [id];
      if (!this.#settings.byteFallback) return [UNKNOWN_ID];
      return Array.from(utf8(plainOf(character)), (byte) => CONTROLS + byte);
    });
  }

  /** The parts of a unit between characters without a piece. */
  #coveredRuns(unit: string): number[][] {
    const runs: number[][] = [[]];
    for (const character of unit) {
      const id = this.#ids.get(character);
      if (id === undefined) runs.push([]);
      else runs.at(-1)!.push(id);
    }
    return runs.filter((run) => run.length > 0);
  }

  #spell(): string[] {
    const pieces = [...this.characters];
    for (const [left, right] of this.merges) {
      const parts = [pieces[left - this.#firstCharacter], pieces[right - this.#firstCharacter]];
      if (parts[0] === undefined || parts[1] === undefined) {
        throw new InputError(
          `Merge ${pieces.length - this.characters.length} joins the ids ${left} and ${right}, but ${this.#firstCharacter} to ${this.#firstCharacter + pieces.length - 1} are the pieces before it.`,
        );
      }
      pieces.push(parts.join(''));
    }
    return pieces;
  }
}

const firstCharacterOf = (byteFallback: boolean) => CONTROLS + (byteFallback ? 256 : 0);

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A mark that was in the text itself, as a lone surrogate, which no well-formed text has. */
const QUOTED_MARK = '\udfff';

/** The units of a text, blanks marked. A `▁` of the text must not turn into a blank, so it stands for itself elsewhere. */
function unitsOf(text: string, dummyPrefix: boolean): string[] {
  const marked = text.replaceAll(BLANK_MARK, QUOTED_MARK).replaceAll(' ', BLANK_MARK);
  return (dummyPrefix ? BLANK_MARK + marked : marked).match(UNITS) ?? [];
}

/** The character of the text that a character of a unit stands for. */
function plainOf(character: string): string {
  if (character === BLANK_MARK) return ' ';
  return character === QUOTED_MARK ? BLANK_MARK : character;
}

/** The most frequent characters that make up a share of the text; more frequent first, then by code point. */
function coveredCharacters(units: readonly string[], coverage: number): string[] {
  const counts = new Map<string, number>();
  let total = 0;
  for (const unit of units) {
    for (const character of unit) {
      if (character === QUOTED_MARK) continue;
      counts.set(character, (counts.get(character) ?? 0) + 1);
      total += 1;
    }
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0].codePointAt(0)! - b[0].codePointAt(0)!);
  let covered = 0;
  const chosen: string[] = [];
  for (const [character, count] of sorted) {
    if (covered >= coverage * total) break;
    chosen.push(character);
    covered += count;
  }
  return chosen;
}
