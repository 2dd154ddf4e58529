import { InputError } from '@palimpsest/base';
import type { JsonValue } from '../../sequence-model.js';
import { isObject } from './component.js';

/** The `model` of a tokenizer.json: turns one pre-token into ids. */
export interface TokenModel {
  /** Tokens with their ids; a token that a list names twice has the last of its ids. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Tokens by id, where two ids may stand for equal tokens; else the vocabulary says it all. */
  readonly tokens?: readonly string[];
  /** How many entries the vocabulary of the file has: tokens added beside it are numbered from there on. */
  readonly size: number;
  /** What unknown characters become, when they become an id. */
  readonly unknownId?: number;
  /**
   * Ids of one pre-token, which is not empty.
   * @throws InputError when the text needs an unknown token and the vocabulary has none.
   */
  encode(word: string): readonly number[];
  /** The same part by part, where long pre-tokens have parts of their own. */
  parts?(word: string): Iterable<readonly number[]>;
}

/** How far the largest id may lie above the number of entries: real files leave holes, damaged ones name ids at random. */
const HOLES = 1000;

/** Refuses ids far beyond the entries, before a table of that size is made. @throws InputError */
export function checkIdRange(field: string, token: string, id: number, entries: number): void {
  if (id < 2 * entries + HOLES) return;
  throw new InputError(
    `The tokenizer's '${field}' gives ${JSON.stringify(token)} the id ${id}, far outside of a vocabulary of ${entries} entries; the file is damaged.`,
  );
}

/**
 * The `vocab` of a model as a map from token to id.
 * @throws InputError naming the token whose id is no index, far outside of the table, or taken.
 */
export function parseVocabulary(vocab: JsonValue | undefined): Map<string, number> {
  if (!isObject(vocab)) {
    throw new InputError("The tokenizer's 'model' has no 'vocab' that maps tokens to ids.");
  }
  const entries = Object.entries(vocab);
  const tokens = new Map<number, string>();
  for (const [token, id] of entries) {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
      throw new InputError(
        `The tokenizer's 'model.vocab' gives ${JSON.stringify(token)} the id ${JSON.stringify(id)}, which is no index.`,
      );
    }
    checkIdRange('model.vocab', token, id, entries.length);
    const other = tokens.get(id);
    if (other !== undefined) {
      throw new InputError(
        `The tokenizer's 'model.vocab' gives both ${JSON.stringify(other)} and ${JSON.stringify(token)} the id ${id}.`,
      );
    }
    tokens.set(id, token);
  }
  return new Map(entries as [string, number][]);
}

/** The error of a text that needs an unknown token where there is none. */
export function missingUnknown(word: string): InputError {
  return new InputError(
    `The tokenizer has no token for ${JSON.stringify(word.slice(0, 40))}, and no unknown token in its vocabulary to put in its place.`,
  );
}
