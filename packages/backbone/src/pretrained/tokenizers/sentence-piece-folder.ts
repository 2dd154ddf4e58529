import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { readSentencePieceFile, type SentencePieceFile } from './sentence-piece-file.js';
import {
  addedPieces,
  BLANK,
  type SentencePieceVocabulary,
  sentencePieceParts,
  tokensInText,
} from './sentence-piece-parts.js';
import { addedTokens, flagIn, type StatedTokens, textOf } from './stated-tokens.js';
import { framing, tokenizerJson, withAdded } from './tokenizer-json.js';

/** What a folder says of its tokenizer in files other than a tokenizer.json. */
export interface StatedTokenizer {
  /** In the form of a tokenizer.json. */
  readonly json: JsonObject;
  /** Names of special tokens, as tokenizer_config.json has them. */
  readonly config: JsonObject;
  readonly remarks: readonly string[];
}

/**
 * The tokenizer of a `tokenizer.model`, with the added tokens of the JSON files beside it. Texts begin with the begin token
 * unless tokenizer_config.json says otherwise.
 * @throws InputError when the file is damaged, or asks for what is not supported.
 */
export function sentencePieceTokenizer(
  bytes: Uint8Array,
  path: string,
  stated: StatedTokens,
): StatedTokenizer {
  const file = readSentencePieceFile(bytes, path);
  const vocabulary = vocabularyOf(file, path);
  const ids = new Map(vocabulary.tokens.map((token, id) => [token, id]));
  const config = withNames(stated.config, file, ids);
  const added = addedTokens(stated, addedPieces(vocabulary), (token) => ids.get(token), ids.size);
  const parts = sentencePieceParts(vocabulary, {
    kind: file.kind,
    byteFallback: file.byteFallback,
    addsPrefix: file.addsPrefix && flagIn(stated, 'add_prefix_space', true),
    prefixesAll: flagIn(stated, 'legacy', true),
    before: normalisersOf(file),
  });
  if (file.kind === 'Unigram') checkNumbering(added, ids.size, stated.source);
  const byId = Object.fromEntries([
    ...vocabulary.tokens.entries(),
    ...added.map(({ id, content }) => [id, content]),
  ]);
  const idOf = (key: string) => {
    const text = textOf(config[key]);
    return added.find(({ content }) => content === text)?.id;
  };
  const around = framing(
    byId,
    flagIn(stated, 'add_bos_token', true) ? idOf('bos_token') : undefined,
    flagIn(stated, 'add_eos_token', false) ? idOf('eos_token') : undefined,
  );
  const json = tokenizerJson(file.kind === 'BPE' ? withAdded(parts, added) : parts, added, around);
  return { json, config, remarks: remarksOf(file, path) };
}

function vocabularyOf({ pieces }: SentencePieceFile, path: string): SentencePieceVocabulary {
  const typeOf = (id: number) => pieces[id]!.type;
  const tokens = tokensInText(
    pieces.map(({ text }) => text),
    typeOf,
  );
  const first = new Map<string, number>();
  tokens.forEach((token, id) => {
    const former = first.get(token);
    if (former !== undefined) {
      throw new InputError(`${path}: the pieces ${former} and ${id} are both ${JSON.stringify(token)}.`);
    }
    first.set(token, id);
  });
  return { tokens, typeOf, scores: pieces.map(({ score }) => score) };
}

/** The special pieces that the file names and has, where the JSON files do not say otherwise. */
function withNames(
  config: JsonObject,
  { begin, end, unknown, padding }: SentencePieceFile,
  ids: ReadonlyMap<string, number>,
): JsonObject {
  const names = { bos_token: begin, eos_token: end, unk_token: unknown, pad_token: padding };
  const present = Object.entries(names).filter(([, token]) => ids.has(token));
  return { ...Object.fromEntries(present), ...config };
}

/** What the file does to a text before blanks are marked. */
function normalisersOf({ characterMap, removesBlanks }: SentencePieceFile): JsonObject[] {
  const replace = (expression: string, content: string): JsonObject => ({
    type: 'Replace',
    pattern: { Regex: expression },
    content,
  });
  const map = { type: 'Precompiled', precompiled_charsmap: base64(characterMap) };
  return [
    ...(characterMap.length > 0 ? [map] : []),
    ...(removesBlanks ? [replace(' +', ' '), replace(`\\A +|[ ${BLANK}]+\\z`, '')] : []),
  ];
}

const base64 = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/** Names of normalisations that do nothing, beside none. */
const IDENTITY = ['', 'identity'];

function remarksOf({ normalizer, characterMap }: SentencePieceFile, path: string): string[] {
  if (characterMap.length > 0 || IDENTITY.includes(normalizer)) return [];
  return [
    `${path} names the normaliser '${normalizer}' and has no map of characters for it, so that texts are read as they are, as SentencePiece reads them.`,
  ];
}

/** A unigram vocabulary has no holes. @throws InputError for an added token whose id is not the next one. */
function checkNumbering(
  added: readonly { readonly id: number; readonly content: string }[],
  size: number,
  source: string,
): void {
  added
    .filter(({ id }) => id >= size)
    .forEach(({ id, content }, index) => {
      if (id === size + index) return;
      throw new InputError(
        `${source}: the added token ${JSON.stringify(content)} has the id ${id}, but behind a unigram vocabulary ids go on without holes: ${size + index} is the next.`,
      );
    });
}
