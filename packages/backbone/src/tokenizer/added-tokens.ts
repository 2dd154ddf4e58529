import { InputError } from '@palimpsest/tensor-core';
import type { JsonValue } from '../sequence-model.js';
import { isObject } from './component.js';
import type { TextMap } from './normaliser.js';

/** A token that is found in the text itself, before anything else looks at it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out of decoded text. */
  readonly special: boolean;
  /** Looked for in the normalised text. */
  readonly normalized: boolean;
  readonly singleWord: boolean;
  readonly leftStrip: boolean;
  readonly rightStrip: boolean;
}

/** A piece of text, or an added token found in it. */
export type Piece = { readonly text: string } | { readonly token: AddedToken };

/** The `added_tokens` of a tokenizer.json. @throws InputError for an entry without id or content. */
export function parseAddedTokens(list: JsonValue | undefined): AddedToken[] {
  if (list === null || list === undefined) return [];
  if (!Array.isArray(list)) throw new InputError("The tokenizer's 'added_tokens' is not a list.");
  return (list as JsonValue[]).map((entry, index) => {
    if (!isObject(entry) || typeof entry.id !== 'number' || typeof entry.content !== 'string') {
      throw new InputError(
        `The tokenizer's 'added_tokens[${index}]' needs a number 'id' and a text 'content'.`,
      );
    }
    return {
      id: entry.id,
      content: entry.content,
      special: entry.special === true,
      normalized: entry.normalized === true,
      singleWord: entry.single_word === true,
      leftStrip: entry.lstrip === true,
      rightStrip: entry.rstrip === true,
    };
  });
}

/** Finds added tokens in texts: leftmost first, of several the longest. */
export class AddedTokenFinder {
  readonly #raw: Finder;
  readonly #normalised: Finder;

  constructor(
    tokens: readonly AddedToken[],
    private readonly normalise: TextMap,
  ) {
    const byContent = (group: readonly AddedToken[], key: TextMap) =>
      new Finder(new Map(group.map((token) => [key(token.content), token])));
    this.#raw = byContent(
      tokens.filter(({ normalized }) => !normalized),
      (text) => text,
    );
    this.#normalised = byContent(
      tokens.filter(({ normalized }) => normalized),
      normalise,
    );
  }

  /** Cuts a text into added tokens and normalised text between them. */
  split(text: string): Piece[] {
    return this.#raw
      .split(text)
      .flatMap((piece) => ('token' in piece ? [piece] : this.#normalised.split(this.normalise(piece.text))));
  }
}

const isWordCharacter = (character: string | undefined) =>
  character !== undefined && /[\p{L}\p{N}_]/u.test(character);

class Finder {
  readonly #pattern: RegExp | undefined;

  constructor(private readonly tokens: ReadonlyMap<string, AddedToken>) {
    const contents = [...tokens.keys()].filter((content) => content !== '');
    if (contents.length === 0) return;
    contents.sort((a, b) => b.length - a.length);
    const quoted = contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
    this.#pattern = new RegExp(quoted.join('|'), 'gu');
  }

  split(text: string): Piece[] {
    const pieces: Piece[] = [];
    let end = 0;
    for (const match of this.#pattern ? text.matchAll(this.#pattern) : []) {
      const token = this.tokens.get(match[0])!;
      let [from, to] = [match.index, match.index + match[0].length];
      if (from < end || (token.singleWord && (isWordCharacter(text[from - 1]) || isWordCharacter(text[to]))))
        continue;
      if (token.leftStrip) from = end + text.slice(end, from).trimEnd().length;
      if (token.rightStrip) to = text.length - text.slice(to).trimStart().length;
      if (from > end) pieces.push({ text: text.slice(end, from) });
      pieces.push({ token });
      end = to;
    }
    if (end < text.length) pieces.push({ text: text.slice(end) });
    return pieces;
  }
}
