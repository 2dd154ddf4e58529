import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { BpeTokenizer } from '../tokenizers/bpe-tokenizer.js';
import { ByteTokenizer } from '../tokenizers/byte-tokenizer.js';
import { CharacterTokenizer } from '../tokenizers/character-tokenizer.js';
import { readTokenizer } from '../tokenizers/read-tokenizer.js';
import { SentencePieceTokenizer } from '../tokenizers/sentence-piece-tokenizer.js';
import { SpecialCharacterTokenizer } from '../tokenizers/special-character-tokenizer.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import type { BatchSource } from './batch.js';
import { ContiguousLanes } from './contiguous-lanes.js';
import { type Corpus, corpusText, encodeCorpus, splitCorpus } from './corpus.js';
import { CorruptedInputs } from './corrupted-inputs.js';
import { corpusLayouts } from './load-corpus.js';
import { RandomWindows } from './random-windows.js';

/** What a run reads, and how: stored with its checkpoints, so that a resumed run reads the same. */
export const runDataSchema = z.object({
  batchSize: z.int().min(1).default(32).describe('windows of text per step'),
  seqLen: z.int().min(1).default(64).describe('tokens per window'),
  reading: z
    .enum(['windows', 'lanes', 'shifted-lanes'])
    .default('windows')
    .describe(
      'windows at random places with a fresh memory, or consecutive ones that carry the memory, cut alike in every pass over the text or shifted',
    ),
  layout: z
    .enum(corpusLayouts)
    .default('plain')
    .describe('how files are cut into documents: plain text, TinyStories, WikiText'),
  tokenizer: z
    .enum(['character', 'special-character', 'byte', 'bpe', 'sentence-piece', 'file'])
    .default('character')
    .describe('how text becomes tokens'),
  tokenizerPath: z
    .string()
    .optional()
    .describe('tokenizer.json, or the folder that holds it, for the tokenizer file'),
  bpeVocabulary: z.int().min(257).default(512).describe('tokens of a trained bpe vocabulary'),
  pieceVocabulary: z.int().min(4).default(4096).describe('pieces of a trained sentence-piece vocabulary'),
  characterCoverage: z
    .number()
    .gt(0)
    .max(1)
    .default(0.9995)
    .describe('share of the text whose characters get pieces of their own'),
  validationFraction: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe('share of the text, at its end, kept for validation'),
  corrupt: z.number().min(0).max(1).default(0).describe('share of input tokens replaced by random ones'),
});

export type RunData = z.output<typeof runDataSchema>;

/** The text of a run, ready to be read. */
export interface PreparedText {
  readonly tokenizer: Tokenizer;
  readonly source: BatchSource;
  /** Ids of the held-out text, unless nothing is held out. */
  readonly validation?: Int32Array | undefined;
}

/**
 * Splits, encodes and windows a text.
 * @param tokenizer that of a checkpoint to go on from; otherwise one is made from the training text.
 * @throws InputError when the text is too short for the windows.
 */
export function prepareText(
  corpus: Corpus,
  data: RunData,
  seed: number,
  tokenizer?: Tokenizer,
): PreparedText {
  const { train, validation } = partsOf(corpus, data);
  const encoder = tokenizer ?? makeTokenizer(data, corpus, train);
  const { ids } = encodeCorpus(encoder, train);
  const clean = batchesOf(ids, data, seed);
  const { vocabSize } = encoder;
  const source =
    data.corrupt > 0 ? new CorruptedInputs(clean, { rate: data.corrupt, vocabSize, seed: seed + 1 }) : clean;
  return {
    tokenizer: encoder,
    source,
    validation: validation && encodeCorpus(encoder, validation).ids,
  };
}

function partsOf(corpus: Corpus, { validationFraction }: RunData) {
  if (validationFraction > 0) return splitCorpus(corpus, validationFraction);
  return { train: corpus, validation: undefined };
}

/** The part of a text that a run learns from. */
export function trainingPart(corpus: Corpus, data: RunData): Corpus {
  return partsOf(corpus, data).train;
}

function batchesOf(ids: Int32Array, { batchSize, seqLen, reading }: RunData, seed: number): BatchSource {
  const size = { batch: batchSize, time: seqLen };
  if (reading === 'windows') return new RandomWindows(ids, { ...size, seed });
  return new ContiguousLanes(ids, { ...size, ...(reading === 'shifted-lanes' && { shiftSeed: seed }) });
}

/** Characters are those of the whole text, so that none of the held-out ones is unknown; merges see the training text only. */
export function makeTokenizer(data: RunData, whole: Corpus, train: Corpus): Tokenizer {
  switch (data.tokenizer) {
    case 'byte':
      return new ByteTokenizer();
    case 'bpe':
      return BpeTokenizer.train(corpusText(train), { vocabSize: data.bpeVocabulary });
    case 'sentence-piece':
      return SentencePieceTokenizer.train(train.documents, {
        vocabSize: data.pieceVocabulary,
        characterCoverage: data.characterCoverage,
      });
    case 'file':
      if (data.tokenizerPath !== undefined) return readTokenizer(data.tokenizerPath);
      throw new InputError(
        "The tokenizer 'file' needs tokenizerPath: a tokenizer.json or the folder that holds it.",
      );
    case 'character':
      return CharacterTokenizer.fromText(corpusText(whole));
    case 'special-character':
      return SpecialCharacterTokenizer.fromText(corpusText(whole));
  }
}
