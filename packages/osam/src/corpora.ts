import { InputError } from '@palimpsest/tensor-core';

/** The reference's periodic corpus: one sentence of 31 characters, repeated. */
export function defaultCorpus(): string {
  return "hello world, it's test corpus. ".repeat(20_000);
}

export interface NeedleOptions {
  /** Repetitions of the hay. The reference trains with 8 000; its own default is 6 000. */
  readonly repetitions?: number;
  /** A needle follows as soon as this many characters of hay have passed. The reference trains with 240. */
  readonly spacing?: number;
}

/** The reference's needle corpus: hay with the same needle at equal distances. Nothing in it has to be remembered. */
export function needleCorpus({ repetitions = 8000, spacing = 240 }: NeedleOptions = {}): string {
  const hay = 'needle test string ';
  const parts: string[] = [];
  let passed = 0;
  for (let i = 0; i < repetitions; i++) {
    parts.push(hay);
    passed += hay.length;
    if (passed < spacing) continue;
    parts.push(' target phrase ');
    passed = 0;
  }
  return parts.join('');
}

/**
 * A user's text as the reference prepares it: a line break and a blank are added when there is none.
 * @throws InputError for fewer than 8 characters.
 */
export function externalCorpus(text: string): string {
  if ([...text].length < 8) {
    throw new InputError(
      `A training text needs at least 8 characters, but this one has ${[...text].length}.`,
    );
  }
  const ended = text.includes('\n') ? text : `${text}\n`;
  return ended.includes(' ') ? ended : ` ${ended}`;
}

/** The characters of a text as a vocabulary: distinct code points in increasing order, the id being the rank. */
export class CharacterVocabulary {
  readonly characters: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  constructor(characters: readonly string[]) {
    this.characters = characters;
    this.#ids = new Map(characters.map((character, id) => [character, id]));
  }

  static of(text: string): CharacterVocabulary {
    const distinct = [...new Set(text)];
    return new CharacterVocabulary(distinct.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!));
  }

  get size(): number {
    return this.characters.length;
  }

  /** Ids of a text; unknown characters become the blank, or id 0 when there is no blank. */
  encode(text: string): Int32Array {
    const unknown = this.#ids.get(' ') ?? 0;
    return Int32Array.from([...text], (character) => this.#ids.get(character) ?? unknown);
  }

  decode(ids: Iterable<number>): string {
    return Array.from(ids, (id) => this.characters[id]!).join('');
  }
}
