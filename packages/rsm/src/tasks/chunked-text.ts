import { InputError } from '@palimpsest/tensor-core';

/** Tokens to read, and the next token of each. */
export interface ChunkExample {
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/**
 * Tokens between the starts of two overlapping chunks (DERIVATION.md, "Data").
 * @param overlapRatio share of a chunk that the next one has too, 0 to below 1
 * @param rule `round`, at least 1, or `truncate` as in the reference, where chunks of 10 with an overlap of 0.9 do not move on
 * @throws InputError for settings that do not move on.
 */
export function strideOf(
  chunkSize: number,
  overlapRatio: number,
  rule: 'round' | 'truncate' = 'round',
): number {
  const distance = chunkSize * (1 - overlapRatio);
  const stride = rule === 'round' ? Math.max(1, Math.round(distance)) : Math.trunc(distance);
  if (!(overlapRatio >= 0 && overlapRatio < 1) || stride < 1) {
    throw new InputError(
      `Chunks of ${chunkSize} tokens with an overlap of ${overlapRatio} do not move on; choose an overlap from 0 to below 1 that leaves at least one token.`,
    );
  }
  return stride;
}

/** First tokens of the chunks whose every token has a next one: ceil((length - chunkSize) / stride) of them. */
export function chunkStarts(length: number, chunkSize: number, stride: number): number[] {
  const count = Math.max(0, Math.ceil((length - chunkSize) / stride));
  return Array.from({ length: count }, (_, index) => index * stride);
}

/** floor(N / chunkSize) chunks that do not overlap; the first token of a chunk is no target, as in the reference. */
export function documentChunks(tokens: Int32Array, chunkSize: number): ChunkExample[] {
  return Array.from({ length: Math.floor(tokens.length / chunkSize) }, (_, index) => {
    const chunk = tokens.subarray(index * chunkSize, (index + 1) * chunkSize);
    return { x: chunk.subarray(0, -1), y: chunk.subarray(1) };
  });
}
