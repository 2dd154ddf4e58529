import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { JsonObject } from '../sequence-model.js';
import { BpeTokenizer } from './bpe-tokenizer.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { CharacterTokenizer } from './character-tokenizer.js';
import { HuggingFaceTokenizer } from './hugging-face-tokenizer.js';
import { SentencePieceTokenizer } from './sentence-piece-tokenizer.js';
import { SpecialCharacterTokenizer } from './special-character-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

const id = z.int().nonnegative();
const schema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('character'), characters: z.array(z.string()) }),
  z.object({ kind: z.literal('special-character'), characters: z.array(z.string()) }),
  z.object({ kind: z.literal('byte') }),
  z.object({
    kind: z.literal('bpe'),
    specialTokens: z.array(z.string()),
    merges: z.array(z.tuple([id, id])),
  }),
  z.object({
    kind: z.literal('sentence-piece'),
    characters: z.array(z.string()),
    merges: z.array(z.tuple([id, id])),
    byteFallback: z.boolean(),
    dummyPrefix: z.boolean(),
  }),
  z.object({
    kind: z.literal('hugging-face'),
    tokenizer: z.record(z.string(), z.unknown()),
    config: z.record(z.string(), z.unknown()),
  }),
]);

/**
 * Makes the tokenizer again from what `toJSON()` gave.
 * @throws InputError naming the field that does not fit.
 */
export function restoreTokenizer(data: unknown): Tokenizer {
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join('.') || 'kind';
    throw new InputError(
      `This is not a stored tokenizer: field '${field}': ${issue?.message}; expected kind character, special-character, byte, bpe, sentence-piece or hugging-face.`,
    );
  }
  switch (parsed.data.kind) {
    case 'character':
      return new CharacterTokenizer(parsed.data.characters);
    case 'special-character':
      return new SpecialCharacterTokenizer(parsed.data.characters);
    case 'byte':
      return new ByteTokenizer();
    case 'bpe':
      return new BpeTokenizer(parsed.data.merges, parsed.data.specialTokens);
    case 'sentence-piece':
      return new SentencePieceTokenizer(parsed.data.characters, parsed.data.merges, parsed.data);
    case 'hugging-face':
      return new HuggingFaceTokenizer(parsed.data.tokenizer as JsonObject, parsed.data.config as JsonObject);
  }
}
