import { InputError } from '@palimpsest/tensor-core';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';

/**
 * One id per Unicode code point, numbered in the order of the code points. Characters outside the vocabulary become the
 * blank, or the first entry when there is no blank.
 */
export class CharacterTokenizer implements Tokenizer {
  readonly kind = 'character';
  readonly #characters: readonly string[];
  readonly #ids: ReadonlyMap<number, number>;
  /** What unknown characters become, and what an empty prompt starts from. */
  readonly startId: number;

  /** @throws InputError for an empty vocabulary, an entry of several code points, or one that appears twice. */
  constructor(characters: readonly string[]) {
    const wrong = characters.find((entry) => String.fromCodePoint(entry.codePointAt(0) ?? 0) !== entry);
    if (characters.length === 0 || wrong !== undefined) {
      throw new InputError(
        `A character vocabulary needs at least one entry and exactly one character in each, but ${
          wrong === undefined ? 'it is empty' : `${JSON.stringify(wrong)} is one of them`
        }.`,
      );
    }
    this.#characters = [...characters];
    this.#ids = new Map(characters.map((entry, id) => [entry.codePointAt(0)!, id]));
    if (this.#ids.size !== characters.length) {
      throw new InputError('A character vocabulary names each character once, but one appears twice.');
    }
    this.startId = this.#ids.get(0x20) ?? 0;
  }

  /** The vocabulary of a text: its distinct code points, sorted. @throws InputError for an empty text. */
  static fromText(text: string): CharacterTokenizer {
    const points = new Set<number>();
    for (const character of text) points.add(character.codePointAt(0)!);
    const sorted = [...points].sort((a, b) => a - b);
    return new CharacterTokenizer(sorted.map((point) => String.fromCodePoint(point)));
  }

  get vocabSize(): number {
    return this.#characters.length;
  }

  /** The characters in the order of their ids. */
  get characters(): readonly string[] {
    return this.#characters;
  }

  /** Says whether every character of a text has an id of its own. */
  covers(text: string): boolean {
    for (const character of text) if (!this.#ids.has(character.codePointAt(0)!)) return false;
    return true;
  }

  unknownCharacters(text: string): string[] {
    return [...new Set(text)].filter((character) => !this.#ids.has(character.codePointAt(0)!));
  }

  encode(text: string): Int32Array {
    const ids = new Int32Array(text.length);
    let count = 0;
    for (const character of text) {
      ids[count] = this.#ids.get(character.codePointAt(0)!) ?? this.startId;
      count += 1;
    }
    return ids.slice(0, count);
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.#character(id)).join('');
  }

  streamingDecoder(): StreamingDecoder {
    return { push: (id) => this.#character(id), flush: () => '' };
  }

  toJSON(): TokenizerData {
    return { kind: this.kind, characters: this.#characters };
  }

  #character(id: number): string {
    const character = this.#characters[id];
    if (character === undefined) {
      throw new InputError(
        `The id ${id} is outside the character vocabulary of ${this.vocabSize}; ids are 0 to ${this.vocabSize - 1}.`,
      );
    }
    return character;
  }
}
