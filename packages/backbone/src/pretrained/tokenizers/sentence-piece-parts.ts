import type { JsonObject } from '@palimpsest/lm';
import { mergesOf } from './sentence-piece-merges.js';
import { addedToken, idsOf, type TokenizerParts } from './tokenizer-json.js';

/** Stands for a blank inside pieces. */
export const BLANK = '\u2581';

/** What a token is, as SentencePiece's files and GGUF files number it. */
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface SentencePieceVocabulary {
  /** By id. */
  readonly tokens: readonly string[];
  readonly typeOf: (id: number) => number;
  /** By id: log probabilities of a unigram model, or the order of merges. */
  readonly scores: readonly number[];
}

export interface SentencePieceOptions {
  /** Default `BPE`. */
  readonly kind?: 'BPE' | 'Unigram';
  /** Characters without a piece are spelled in bytes. Default true. */
  readonly byteFallback?: boolean;
  /** A blank is put before every text. */
  readonly addsPrefix: boolean;
  /** Of texts behind added tokens too; else of what begins a text alone. Default true. */
  readonly prefixesAll?: boolean;
  /** What is done to a text first. */
  readonly before?: readonly JsonObject[];
}

const replace = (from: string, to: string): JsonObject => ({
  type: 'Replace',
  pattern: { String: from },
  content: to,
});

/** Whether a model of the kind makes the token out of text. */
const isPiece = (type: number) => type === tokenTypes.normal || type === tokenTypes.unused;

/** SentencePiece (Kudo & Richardson 2018) in the terms of a tokenizer.json. */
export function sentencePieceParts(
  vocabulary: SentencePieceVocabulary,
  options: SentencePieceOptions,
): TokenizerParts {
  const { addsPrefix, prefixesAll = true, before = [] } = options;
  const prefix = addsPrefix && prefixesAll ? [{ type: 'Prepend', prepend: BLANK }] : [];
  const steps = [...before, ...prefix, replace(' ', BLANK)];
  return {
    model: modelOf(vocabulary, options),
    normalizer: steps.length > 1 ? { type: 'Sequence', normalizers: steps } : steps[0]!,
    preTokenizer:
      addsPrefix && !prefixesAll
        ? { type: 'Metaspace', replacement: BLANK, prepend_scheme: 'first', split: false }
        : null,
    decoder: {
      type: 'Sequence',
      decoders: [
        replace(BLANK, ' '),
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(addsPrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
  };
}

function modelOf(
  { tokens, typeOf, scores }: SentencePieceVocabulary,
  { kind = 'BPE', byteFallback = true }: SentencePieceOptions,
): JsonObject {
  const unknown = tokens.findIndex((_, id) => typeOf(id) === tokenTypes.unknown);
  if (kind === 'Unigram') {
    return {
      type: 'Unigram',
      unk_id: unknown < 0 ? null : unknown,
      byte_fallback: byteFallback,
      vocab: tokens.map((token, id) => [token, scores[id]!]),
    };
  }
  const pieces = tokens.flatMap((text, id) => (isPiece(typeOf(id)) ? [{ text, score: scores[id]! }] : []));
  return {
    type: 'BPE',
    byte_fallback: byteFallback,
    fuse_unk: true,
    unk_token: unknown < 0 ? null : tokens[unknown]!,
    vocab: idsOf(tokens),
    merges: mergesOf(pieces),
  };
}

/** Tokens that are found in the text itself. */
export const addedPieces = ({ tokens, typeOf }: Omit<SentencePieceVocabulary, 'scores'>): JsonObject[] =>
  tokens.flatMap((content, id) => {
    const type = typeOf(id);
    const isFound =
      type === tokenTypes.control || type === tokenTypes.userDefined || type === tokenTypes.unknown;
    return isFound ? [addedToken(id, content, type !== tokenTypes.userDefined)] : [];
  });

/** Token texts by id; one that stands for itself is looked for in the text, where blanks are blanks. */
export const tokensInText = (tokens: readonly string[], typeOf: (id: number) => number): string[] =>
  tokens.map((token, id) => (typeOf(id) === tokenTypes.userDefined ? token.replaceAll(BLANK, ' ') : token));
