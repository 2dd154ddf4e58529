import { InputError } from '@palimpsest/base';
import { HuggingFaceTokenizer, type JsonObject } from '@palimpsest/lm';
import {
  addedPieces,
  type SentencePieceVocabulary,
  sentencePieceParts,
  tokensInText,
  tokenTypes,
} from '../tokenizers/sentence-piece-parts.js';
import {
  byteLevelDecoder,
  framing,
  idsOf,
  type TokenizerParts,
  tokenizerJson,
} from '../tokenizers/tokenizer-json.js';
import type { Metadata } from './metadata.js';
import { preTokenizerNamed } from './named-pre-tokenizer.js';

type Vocabulary = Omit<SentencePieceVocabulary, 'scores'>;

interface Parts extends TokenizerParts {
  /** Texts begin with the begin token unless the file says otherwise. */
  readonly addsBegin: boolean;
  readonly remarks: readonly string[];
}

export interface GgufTokenizer {
  readonly tokenizer: HuggingFaceTokenizer;
  /** Names of the special tokens, as `tokenizer_config.json` has them. */
  readonly config: JsonObject;
  readonly endIds: readonly number[];
  readonly remarks: readonly string[];
}

/**
 * The tokenizer of a GGUF file: byte-level byte-pair encoding (`gpt2`) or SentencePiece's by scores (`llama`).
 * @returns nothing when the file has no vocabulary.
 * @throws InputError naming the key that is missing, wrong or not supported.
 */
export function ggufTokenizer(metadata: Metadata, architecture: string): GgufTokenizer | undefined {
  const kind = metadata.find('tokenizer.ggml.model', 'string');
  if (kind === undefined || kind === 'none' || kind === 'no_vocab') return undefined;
  const vocabulary = vocabularyOf(metadata, kind);
  const parts = partsOf(kind, metadata, vocabulary, architecture);
  const config = namedTokens(metadata, vocabulary);
  const json = tokenizerJson(
    parts,
    addedPieces(vocabulary),
    postProcessor(metadata, vocabulary, parts.addsBegin),
  );
  try {
    const tokenizer = new HuggingFaceTokenizer(json, config);
    return { tokenizer, config, endIds: endIds(metadata, vocabulary), remarks: parts.remarks };
  } catch (error) {
    throw new InputError(`${metadata.source}: ${(error as Error).message}`);
  }
}

function vocabularyOf(metadata: Metadata, kind: string): Vocabulary {
  const given = metadata.need('tokenizer.ggml.tokens', 'strings');
  const stated = metadata.find('tokenizer.ggml.token_type', 'numbers');
  if (stated && stated.length !== given.length) {
    throw new InputError(
      `${metadata.source}: the key 'tokenizer.ggml.token_type' has ${stated.length} entries for ${given.length} tokens.`,
    );
  }
  const typeOf = (id: number) => stated?.[id] ?? tokenTypes.normal;
  return { tokens: kind === 'llama' ? tokensInText(given, typeOf) : given, typeOf };
}

function partsOf(kind: string, metadata: Metadata, vocabulary: Vocabulary, architecture: string): Parts {
  if (kind === 'gpt2') return byteLevel(metadata, vocabulary, architecture);
  if (kind === 'llama') return sentencePiece(metadata, vocabulary);
  throw new InputError(
    `${metadata.source}: the key 'tokenizer.ggml.model' is '${kind}', which is not supported; supported are gpt2 and llama.`,
  );
}

function byteLevel(metadata: Metadata, vocabulary: Vocabulary, architecture: string): Parts {
  const { preTokenizer, normalizer, ignoreMerges, addsBegin, remark } = preTokenizerNamed(
    metadata,
    architecture,
  );
  return {
    model: {
      type: 'BPE',
      ignore_merges: ignoreMerges,
      vocab: idsOf(vocabulary.tokens),
      merges: [...metadata.need('tokenizer.ggml.merges', 'strings')],
    },
    normalizer,
    preTokenizer,
    decoder: byteLevelDecoder,
    addsBegin,
    remarks: remark === undefined ? [] : [remark],
  };
}

function sentencePiece(metadata: Metadata, vocabulary: Vocabulary): Parts {
  const { tokens } = vocabulary;
  const scores = metadata.need('tokenizer.ggml.scores', 'numbers');
  if (scores.length !== tokens.length) {
    throw new InputError(
      `${metadata.source}: the key 'tokenizer.ggml.scores' has ${scores.length} entries for ${tokens.length} tokens.`,
    );
  }
  const addsPrefix = metadata.find('tokenizer.ggml.add_space_prefix', 'boolean') ?? true;
  const parts = sentencePieceParts({ ...vocabulary, scores }, { addsPrefix });
  return { ...parts, addsBegin: true, remarks: [] };
}

/** A token that a key names by its id, or nothing. @throws InputError for an id beyond the vocabulary. */
function tokenNamed(metadata: Metadata, name: string, { tokens }: Vocabulary): number | undefined {
  const key = `tokenizer.ggml.${name}_token_id`;
  const id = metadata.find(key, 'number');
  if (id === undefined || tokens[id] !== undefined) return id;
  throw new InputError(
    `${metadata.source}: the key '${key}' is ${id}, but ids are 0 to ${tokens.length - 1}.`,
  );
}

/** Names of special tokens in tokenizer_config.json, and what a GGUF file calls them. */
const names = { bos: 'bos', eos: 'eos', unk: 'unknown', pad: 'padding' } as const;

function namedTokens(metadata: Metadata, vocabulary: Vocabulary): JsonObject {
  const found = Object.entries(names).map(([name, key]): [string, number | undefined] => [
    `${name}_token`,
    tokenNamed(metadata, key, vocabulary),
  ]);
  return Object.fromEntries(
    found.flatMap(([name, id]) => (id === undefined ? [] : [[name, vocabulary.tokens[id]!]])),
  );
}

function postProcessor(metadata: Metadata, vocabulary: Vocabulary, addsBegin: boolean): JsonObject | null {
  const begin = tokenNamed(metadata, 'bos', vocabulary);
  const end = tokenNamed(metadata, 'eos', vocabulary);
  const isBegun = metadata.find('tokenizer.ggml.add_bos_token', 'boolean') ?? addsBegin;
  const isEnded = metadata.find('tokenizer.ggml.add_eos_token', 'boolean') ?? false;
  return framing(vocabulary.tokens, isBegun ? begin : undefined, isEnded ? end : undefined);
}

/** Control tokens that end a turn, which some files name by no key. */
const ENDS = [
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<end_of_turn>',
  '<|end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
];

function endIds(metadata: Metadata, vocabulary: Vocabulary): number[] {
  const stated = ['eos', 'eot', 'eom'].map((name) => tokenNamed(metadata, name, vocabulary));
  const known = ENDS.map((token) => vocabulary.tokens.indexOf(token)).filter(
    (id) => id >= 0 && vocabulary.typeOf(id) === tokenTypes.control,
  );
  return [...new Set([...stated, ...known].filter((id) => id !== undefined))];
}
