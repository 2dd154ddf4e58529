import type { LanguageModel } from '@palimpsest/harness';
import { ApiError } from './errors.js';

/** Characters that are tokenised at once: a few milliseconds, between which other requests have their turn. */
const PIECE = 4096;
/** Tokens that a cut through a text may add to it. */
const CUT = 8;
/** Characters of a token, on the average of a text that is longer than others. */
const CHARACTERS = 16;

/**
 * Refuses a text that is too long before it is tokenised as a whole, which nothing else could happen during. The tokens are
 * counted piece by piece, and no further than to the bound.
 * @param most tokens
 * @throws ApiError 400 for a text that has more for certain.
 */
export async function requireLength(
  { tokenizer }: Pick<LanguageModel, 'tokenizer'>,
  most: number,
  text: string,
): Promise<void> {
  if (text.length > CHARACTERS * most) {
    throw tooLong(`is ${text.length} characters long`, `${CHARACTERS * most} characters and ${most} tokens`);
  }
  if (text.length <= PIECE) return;
  let tokens = 0;
  for (let at = 0; at < text.length; at += PIECE) {
    tokens += tokenizer.encode(text.slice(at, at + PIECE)).length - CUT;
    if (tokens > most) throw tooLong(`has more than ${most} tokens`, `${most} tokens`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The error of a prompt that is longer than a request's may be. */
export const tooLong = (is: string, most: string): ApiError =>
  new ApiError(
    400,
    'context_length_exceeded',
    `The prompt ${is}, but this server reads at most ${most} for a request.`,
  );
