import { InputError } from '@palimpsest/base';
import type { JsonValue } from '../../sequence-model.js';
import { endsWithWord, leadingSpace, startsWithWord, trailingSpace } from './character-classes.js';
import { isObject } from './component.js';
import { checkIdRange, type TokenModel } from './token-model.js';
import { TokenTrie } from './token-trie.js';

/** A token that is found in the text itself, before anything else looks at it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out of decoded text. */
  readonly special: boolean;
  /** Looked for in the normalised text. */
  readonly normalized: boolean;
  /** Only where no word character touches it. */
  readonly singleWord: boolean;
  /** Takes the white space before it. */
  readonly leftStrip: boolean;
  /** Takes the white space after it. */
  readonly rightStrip: boolean;
}

/** A piece of text, or the id of an added token found in it. */
export type Piece =
  | { readonly text: string /** Offset of its first unit. */; readonly at: number }
  | { readonly id: number };

const FLAGS = ['special', 'normalized', 'single_word', 'lstrip', 'rstrip'] as const;

/**
 * The `added_tokens` of a tokenizer.json. As in the Rust library, a token that the model's vocabulary holds has its id
 * there, the others are numbered after the vocabulary, and of equal ones the first counts; where the file states another id,
 * a remark says so.
 * @throws InputError for an entry without id, content or flags, or with an id far outside of the vocabulary.
 */
export function parseAddedTokens(
  list: JsonValue | undefined,
  model: TokenModel,
): { readonly tokens: readonly AddedToken[]; readonly remarks: readonly string[] } {
  if (list !== null && list !== undefined && !Array.isArray(list)) {
    throw new InputError("The tokenizer's 'added_tokens' is not a list.");
  }
  const entries = (list ?? []) as readonly JsonValue[];
  const tokens = new Map<string, AddedToken>();
  const moved: string[] = [];
  let largest = model.size - 1;
  entries.forEach((entry, index) => {
    const stated = parseEntry(entry, `added_tokens[${index}]`, model.size + entries.length);
    if (stated.content === '' || tokens.has(stated.content)) return;
    const id = model.vocabulary.get(stated.content) ?? largest + 1;
    largest = Math.max(largest, id);
    if (id !== stated.id) moved.push(`${JSON.stringify(stated.content)} has the id ${id}, not ${stated.id}`);
    tokens.set(stated.content, { ...stated, id });
  });
  return { tokens: [...tokens.values()], remarks: moved.length > 0 ? [remarkOf(moved)] : [] };
}

const remarkOf = (moved: readonly string[]) =>
  `The tokenizer's added tokens are numbered after its vocabulary, as the original library does it: ${moved.slice(0, 3).join(', ')}${moved.length > 3 ? `, and ${moved.length - 3} more` : ''}, as the file states.`;

function parseEntry(entry: JsonValue, field: string, entries: number): AddedToken {
  if (!isObject(entry) || typeof entry.content !== 'string' || !isIndex(entry.id)) {
    throw new InputError(`The tokenizer's '${field}' needs an index 'id' and a text 'content'.`);
  }
  const wrong = FLAGS.find((flag) => entry[flag] !== undefined && typeof entry[flag] !== 'boolean');
  if (wrong) throw new InputError(`The tokenizer's '${field}.${wrong}' is neither true nor false.`);
  checkIdRange(field, entry.content, entry.id, entries);
  return {
    id: entry.id,
    content: entry.content,
    special: entry.special === true,
    normalized: entry.normalized === true,
    singleWord: entry.single_word === true,
    leftStrip: entry.lstrip === true,
    rightStrip: entry.rstrip === true,
  };
}

const isIndex = (value: JsonValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** Finds added tokens in texts: leftmost first, of several the longest. */
export class AddedTokenFinder {
  readonly #raw: Finder;
  readonly #normalised: Finder;

  /** @param tokens those found earlier in the list win over others of the same content. */
  constructor(
    tokens: readonly AddedToken[],
    private readonly normalise: (text: string) => string,
  ) {
    const inOrder = [...tokens.filter(({ special }) => special), ...tokens.filter(({ special }) => !special)];
    this.#raw = new Finder(
      inOrder.filter(({ normalized }) => !normalized),
      (text) => text,
    );
    this.#normalised = new Finder(
      inOrder.filter(({ normalized }) => normalized),
      normalise,
    );
  }

  /** Cuts a text into added tokens and normalised text between them; `at` is 0 for what begins the text. */
  split(text: string): Piece[] {
    return this.#raw.split(text).flatMap((piece) => {
      if ('id' in piece) return [piece];
      const found = this.#normalised.split(this.normalise(piece.text));
      const before = piece.at + this.#removedAtStart(piece.text);
      return before === 0 ? found : found.map((part) => ('id' in part ? part : { ...part, at: before }));
    });
  }

  /** Length of the first character when the normaliser takes it out: what follows does not begin the text. */
  #removedAtStart(text: string): number {
    const first = String.fromCodePoint(text.codePointAt(0)!);
    return this.normalise(first) === '' ? first.length : 0;
  }
}

class Finder {
  readonly #tokens: readonly AddedToken[];
  readonly #trie = new TokenTrie();

  constructor(tokens: readonly AddedToken[], key: (text: string) => string) {
    this.#tokens = tokens;
    tokens.forEach(({ content }, index) => {
      const text = key(content);
      if (text === '') {
        throw new InputError(
          `The tokenizer's normalizer leaves nothing of the added token ${JSON.stringify(content)}, which is looked for in normalised text; set its 'normalized' to false.`,
        );
      }
      this.#trie.add(text, index, false);
    });
  }

  split(text: string): Piece[] {
    const pieces: Piece[] = [];
    let end = 0;
    for (const { token, from, to } of this.#tokens.length > 0 ? this.#matches(text) : []) {
      if (token.singleWord && (endsWithWord(text, from) || startsWithWord(text, to))) continue;
      const start = token.leftStrip ? Math.max(trailingSpace(text, from), end) : from;
      if (end < start) pieces.push({ text: text.slice(end, start), at: end });
      end = token.rightStrip ? leadingSpace(text, to) : to;
      // White space that the token before has taken is not taken again.
      if (start < end) pieces.push({ id: token.id });
    }
    if (end < text.length) pieces.push({ text: text.slice(end), at: end });
    return pieces;
  }

  /** Matches without overlap, whether they will count or not. */
  *#matches(text: string): Generator<{ token: AddedToken; from: number; to: number }> {
    for (let at = 0; at < text.length; at++) {
      if (!this.#trie.beginsWith(text.charCodeAt(at))) continue;
      let found = -1;
      let to = at;
      this.#trie.visitPrefixes(text, at, (index, end) => {
        found = index;
        to = end;
      });
      if (found < 0) continue;
      yield { token: this.#tokens[found]!, from: at, to };
      at = to - 1;
    }
  }
}
