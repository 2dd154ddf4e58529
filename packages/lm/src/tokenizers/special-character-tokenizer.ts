import { CharacterTokenizer } from './character-tokenizer.js';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';

/** `<PAD>`, `<START>` and `<END>`: ids of their own before the characters, never in a text. */
const SPECIALS = 3;
const PAD_ID = 0;
const END_ID = 2;
const UNKNOWN = '<UNK>';

/**
 * One id per Unicode code point from 3 on, in the order of the code points, after `<PAD>` 0, `<START>` 1 and `<END>` 2.
 * Characters outside the vocabulary become `<PAD>`, ids outside of it are decoded to `<UNK>`, special ids to nothing.
 */
export class SpecialCharacterTokenizer implements Tokenizer {
  readonly kind = 'special-character';
  readonly padId = PAD_ID;
  readonly endId = END_ID;
  readonly startId: number;
  readonly #characters: CharacterTokenizer;
  readonly #known: ReadonlySet<string>;

  /** @throws InputError for an empty vocabulary, an entry of several code points, or one that appears twice. */
  constructor(characters: readonly string[]) {
    this.#characters = new CharacterTokenizer(characters);
    this.#known = new Set(characters);
    const blank = characters.indexOf(' ');
    this.startId = blank < 0 ? END_ID : SPECIALS + blank;
  }

  /** The vocabulary of a text: its distinct code points, sorted. @throws InputError for an empty text. */
  static fromText(text: string): SpecialCharacterTokenizer {
    return new SpecialCharacterTokenizer(CharacterTokenizer.fromText(text).characters);
  }

  get vocabSize(): number {
    return SPECIALS + this.#characters.vocabSize;
  }

  /** The characters in the order of their ids, the first of which is 3. */
  get characters(): readonly string[] {
    return this.#characters.characters;
  }

  unknownCharacters(text: string): string[] {
    return this.#characters.unknownCharacters(text);
  }

  encode(text: string): Int32Array {
    const ids = this.#characters.encode(text);
    let at = 0;
    for (const character of text) {
      ids[at] = this.#known.has(character) ? ids[at]! + SPECIALS : PAD_ID;
      at += 1;
    }
    return ids;
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.#textOf(id)).join('');
  }

  streamingDecoder(): StreamingDecoder {
    return { push: (id) => this.#textOf(id), flush: () => '' };
  }

  toJSON(): TokenizerData {
    return { kind: this.kind, characters: this.characters };
  }

  #textOf(id: number): string {
    if (id >= 0 && id < SPECIALS) return '';
    return this.characters[id - SPECIALS] ?? UNKNOWN;
  }
}
