import { InputError } from '@palimpsest/base';
import { HuggingFaceTokenizer, type JsonObject, type JsonValue } from '@palimpsest/lm';
import type { Metadata } from './metadata.js';
import { preTokenizerNamed } from './pre-tokenizers.js';
import { mergesOf } from './sentence-piece-merges.js';

/** What a token is, as the file numbers it. */
const types = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
const BLANK = '\u2581';

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly typeOf: (id: number) => number;
}

/** The parts of a tokenizer.json that the two kinds differ in. */
interface Parts {
  readonly model: JsonObject;
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: JsonObject | null;
  readonly decoder: JsonObject;
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
  const json: JsonObject = {
    version: '1.0',
    added_tokens: addedTokens(vocabulary),
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor: postProcessor(metadata, vocabulary, parts.addsBegin),
    decoder: parts.decoder,
    model: parts.model,
  };
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
  const typeOf = (id: number) => stated?.[id] ?? types.normal;
  // A token that stands for itself is looked for in the text, where blanks are blanks.
  const tokens =
    kind === 'llama'
      ? given.map((token, id) => (typeOf(id) === types.userDefined ? token.replaceAll(BLANK, ' ') : token))
      : given;
  return { tokens, typeOf };
}

function partsOf(kind: string, metadata: Metadata, vocabulary: Vocabulary, architecture: string): Parts {
  if (kind === 'gpt2') return byteLevel(metadata, vocabulary, architecture);
  if (kind === 'llama') return sentencePiece(metadata, vocabulary);
  throw new InputError(
    `${metadata.source}: the key 'tokenizer.ggml.model' is '${kind}', which is not supported; supported are gpt2 and llama.`,
  );
}

const idsOf = ({ tokens }: Vocabulary): JsonObject =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

function byteLevel(metadata: Metadata, vocabulary: Vocabulary, architecture: string): Parts {
  const { preTokenizer, normalizer, ignoreMerges, addsBegin, remark } = preTokenizerNamed(
    metadata,
    architecture,
  );
  return {
    model: {
      type: 'BPE',
      ignore_merges: ignoreMerges,
      vocab: idsOf(vocabulary),
      merges: [...metadata.need('tokenizer.ggml.merges', 'strings')],
    },
    normalizer,
    preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    addsBegin,
    remarks: remark === undefined ? [] : [remark],
  };
}

function sentencePiece(metadata: Metadata, vocabulary: Vocabulary): Parts {
  const { tokens, typeOf } = vocabulary;
  const scores = metadata.need('tokenizer.ggml.scores', 'numbers');
  if (scores.length !== tokens.length) {
    throw new InputError(
      `${metadata.source}: the key 'tokenizer.ggml.scores' has ${scores.length} entries for ${tokens.length} tokens.`,
    );
  }
  const isPiece = (id: number) => typeOf(id) === types.normal || typeOf(id) === types.unused;
  const pieces = tokens.flatMap((text, id) => (isPiece(id) ? [{ text, score: scores[id]! }] : []));
  const unknown = tokens.findIndex((_, id) => typeOf(id) === types.unknown);
  const replace = (from: string, to: string) => ({
    type: 'Replace',
    pattern: { String: from },
    content: to,
  });
  const prefixed = metadata.find('tokenizer.ggml.add_space_prefix', 'boolean') ?? true;
  const blanks = replace(' ', BLANK);
  return {
    model: {
      type: 'BPE',
      byte_fallback: true,
      fuse_unk: true,
      unk_token: unknown < 0 ? null : tokens[unknown]!,
      vocab: idsOf(vocabulary),
      merges: mergesOf(pieces),
    },
    normalizer: prefixed
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: BLANK }, blanks] }
      : blanks,
    preTokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        replace(BLANK, ' '),
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    addsBegin: true,
    remarks: [],
  };
}

function addedTokens({ tokens, typeOf }: Vocabulary): JsonValue[] {
  const isFound = (id: number) =>
    typeOf(id) === types.control || typeOf(id) === types.userDefined || typeOf(id) === types.unknown;
  return tokens.flatMap((content, id) =>
    isFound(id)
      ? [
          {
            id,
            content,
            special: typeOf(id) !== types.userDefined,
            normalized: false,
            single_word: false,
            lstrip: false,
            rstrip: false,
          },
        ]
      : [],
  );
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
  const around = [
    ...(isBegun && begin !== undefined ? [begin] : []),
    ...(isEnded && end !== undefined ? [end] : []),
  ];
  if (around.length === 0) return null;
  const special = (id: number) => ({ SpecialToken: { id: vocabulary.tokens[id]!, type_id: 0 } });
  return {
    type: 'TemplateProcessing',
    single: [
      ...(isBegun && begin !== undefined ? [special(begin)] : []),
      { Sequence: { id: 'A', type_id: 0 } },
      ...(isEnded && end !== undefined ? [special(end)] : []),
    ],
    pair: [],
    special_tokens: Object.fromEntries(
      around.map((id) => {
        const token = vocabulary.tokens[id]!;
        return [token, { id: token, ids: [id], tokens: [token] }];
      }),
    ),
  };
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
    (id) => id >= 0 && vocabulary.typeOf(id) === types.control,
  );
  return [...new Set([...stated, ...known].filter((id) => id !== undefined))];
}
