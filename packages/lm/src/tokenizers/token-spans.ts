import type { StreamingDecoder } from './tokenizer.js';

/** The characters of a text that a token stands for, without blanks around them; `end` is behind the last one. */
export interface TokenSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the tokens of a text stand in it. A token that is part of a character has that character's place, one that is blank or that the
 * tokenizer added has an empty place.
 * @param tokenizer that made the ids
 * @param ids of the text, in its order
 */
export function tokenSpans(
  tokenizer: { streamingDecoder(): StreamingDecoder },
  text: string,
  ids: ArrayLike<number>,
): TokenSpan[] {
  const decoder = tokenizer.streamingDecoder();
  const spans: TokenSpan[] = [];
  let at = 0;
  const place = (piece: string): TokenSpan => {
    const bare = piece.trim();
    const start = bare === '' ? -1 : text.indexOf(bare, at);
    // What does not occur was changed by the tokenizer's normaliser, or is no part of the text.
    if (start === -1) return { start: at, end: at };
    at = start + bare.length;
    return { start, end: at };
  };
  for (let i = 0; i < ids.length; i++) {
    const piece = decoder.push(ids[i]!);
    // Nothing comes out while a character is unfinished: its tokens get their place with the one that ends it.
    if (piece === '' && i < ids.length - 1) continue;
    const span = place(piece === '' ? decoder.flush() : piece);
    while (spans.length <= i) spans.push(span);
  }
  return spans;
}
