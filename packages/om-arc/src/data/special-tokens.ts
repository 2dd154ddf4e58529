import { BpeTokenizer, restoreTokenizer, type Tokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';

/** Marks around a document, and what stands before a text, in the order of their ids. */
export const SPECIAL_TOKENS = ['<|im_end|>', '<|im_start|>', '<|pad|>'] as const;

/** Bytes, and the three special tokens behind them. */
export const byteTokenizer = (): BpeTokenizer => new BpeTokenizer([], SPECIAL_TOKENS);

/** A tokenizer that knows the special tokens, as `tokenizer.json` of the preprocessing holds it. @throws InputError for another. */
export function tokenizerWithSpecials(data: unknown): BpeTokenizer {
  const tokenizer: Tokenizer = restoreTokenizer(data);
  if (
    tokenizer instanceof BpeTokenizer &&
    SPECIAL_TOKENS.every((token) => tokenizer.specialTokens.includes(token))
  ) {
    return tokenizer;
  }
  throw new InputError(
    `Preprocessing needs a byte-pair tokenizer with the special tokens ${SPECIAL_TOKENS.join(', ')}; leave the tokenizer out for bytes.`,
  );
}

/** Id of a special token. */
export const specialId = (tokenizer: BpeTokenizer, token: string): number =>
  256 + tokenizer.specialTokens.indexOf(token);

/** Ids of a text in which special tokens stand for themselves. */
export function encodeWithSpecials(tokenizer: BpeTokenizer, text: string): number[] {
  const marks = tokenizer.specialTokens.map((token) => token.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pieces = text.split(new RegExp(`(${marks.join('|')})`)).filter((piece) => piece !== '');
  return pieces.flatMap((piece) =>
    tokenizer.specialTokens.includes(piece)
      ? [specialId(tokenizer, piece)]
      : Array.from(tokenizer.encode(piece)),
  );
}
