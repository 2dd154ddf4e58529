import type { JsonObject, JsonValue } from '@palimpsest/lm';
import { isObject } from '../json-file.js';

/** The parts of a tokenizer.json in which kinds of tokenizers differ. */
export interface TokenizerParts {
  readonly model: JsonObject;
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: JsonObject | null;
  readonly decoder: JsonObject;
}

/** What a file that is no tokenizer.json says, in the form of one. */
export const tokenizerJson = (
  { model, normalizer, preTokenizer, decoder }: TokenizerParts,
  added: readonly JsonValue[],
  postProcessor: JsonObject | null,
): JsonObject => ({
  version: '1.0',
  added_tokens: [...added],
  normalizer,
  pre_tokenizer: preTokenizer,
  post_processor: postProcessor,
  decoder,
  model,
});

export const byteLevelDecoder: JsonObject = {
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: false,
  use_regex: false,
};

export const idsOf = (tokens: readonly string[]): JsonObject =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

/** An entry of `added_tokens`, which is looked for in the text as it is given. */
export const addedToken = (id: number, content: string, special: boolean): JsonObject => ({
  id,
  content,
  special,
  normalized: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
});

/** A `post_processor` that puts tokens around a text, or nothing when there are none. @param tokens by id. */
export function framing(
  tokens: { readonly [id: number]: string },
  begin: number | undefined,
  end: number | undefined,
): JsonObject | null {
  const [before, behind] = [begin, end].map((id) => (id === undefined ? [] : [id]));
  const around = [...before!, ...behind!];
  if (around.length === 0) return null;
  const special = (id: number) => ({ SpecialToken: { id: tokens[id]!, type_id: 0 } });
  return {
    type: 'TemplateProcessing',
    single: [...before!.map(special), { Sequence: { id: 'A', type_id: 0 } }, ...behind!.map(special)],
    pair: [],
    special_tokens: Object.fromEntries(
      around.map((id) => [tokens[id]!, { id: tokens[id]!, ids: [id], tokens: [tokens[id]!] }]),
    ),
  };
}

/** Puts added tokens into the vocabulary of byte-pair encoding, so that they keep ids that leave holes. */
export function withAdded(
  parts: TokenizerParts,
  added: readonly { readonly id: number; readonly content: string }[],
): TokenizerParts {
  const { vocab } = parts.model;
  if (!isObject(vocab)) return parts;
  const others = added.filter(({ content }) => !Object.hasOwn(vocab, content));
  const ids = Object.fromEntries(others.map(({ content, id }) => [content, id]));
  return { ...parts, model: { ...parts.model, vocab: { ...vocab, ...ids } } };
}
