import type { JsonObject } from '../sequence-model.js';

/** A tokenizer as JSON: what a checkpoint stores of it. */
export interface TokenizerData extends JsonObject {
  readonly kind: string;
}

/** Turns a stream of ids into text piece by piece: bytes of an unfinished character wait for the rest of it. */
export interface StreamingDecoder {
  /** The text that becomes certain with one more id; may be empty. */
  push(id: number): string;
  /** What is left at the end; an unfinished character becomes U+FFFD. */
  flush(): string;
}

/** Text to ids and back. */
export interface Tokenizer {
  readonly kind: string;
  /** Ids are 0 .. vocabSize - 1. */
  readonly vocabSize: number;
  /** The id that stands before the first token when a prompt is empty. */
  readonly startId: number;
  /** Ends a text, when the tokenizer has such an id. */
  readonly endId?: number;
  encode(text: string): Int32Array;
  /** The same for a long text, with turns for others between: nothing waits longer than some milliseconds. */
  encodeInTurns?(text: string): Promise<Int32Array>;
  decode(ids: ArrayLike<number>): string;
  streamingDecoder(): StreamingDecoder;
  /** Distinct characters of a text that no id stands for: `encode` puts something else in their place, or nothing. */
  unknownCharacters?(text: string): string[];
  /** One sentence for each thing about it that may surprise. */
  readonly remarks?: readonly string[];
  toJSON(): TokenizerData;
}

/**
 * A sentence about the characters of a text that a tokenizer does not know, or nothing when it knows all.
 * @param what the text, as `prompt`.
 */
export function unknownCharactersRemark(
  tokenizer: Tokenizer,
  text: string,
  what: string,
): string | undefined {
  const unknown = tokenizer.unknownCharacters?.(text) ?? [];
  if (unknown.length === 0) return undefined;
  const shown = unknown.slice(0, 10).map((character) => JSON.stringify(character));
  const more = unknown.length > shown.length ? ` and ${unknown.length - shown.length} more` : '';
  return `The ${what} has characters that are not in the vocabulary of this model and are replaced or left out: ${shown.join(', ')}${more}.`;
}

/** Number of Unicode code points of a text: the "characters" of bits per character. */
export function countCharacters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const isPair = (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) {
      count -= 1;
      i += 1;
    }
  }
  return count;
}

/** Number of bytes of a text in UTF-8. */
export function countBytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
