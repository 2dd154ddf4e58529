import type { AnySequenceModel } from '@palimpsest/lm';
import { type Engine, InputError, Rng } from '@palimpsest/tensor-core';
import { isCausal, type RsmOptions, resolveConfig } from '../config.js';
import { createRsmModel } from '../sequence-model.js';
import { DecoderReader } from './decoder-reader.js';
import { type DocumentStopRules, DocumentStops } from './document-stops.js';
import type { NextTokenReader } from './next-token-reader.js';
import { RecomputingReader } from './recomputing-reader.js';
import { checkSampling, drawRsmToken, type RsmSampling } from './sampling-filter.js';
import { SessionReader } from './session-reader.js';

/** A model with its parameters, on the host or on the engine. */
export interface RsmText {
  readonly engine: Engine;
  /** As `createRsmModel` makes it. */
  readonly model: AnySequenceModel;
  readonly params: unknown;
}

export interface RsmGenerationOptions extends RsmSampling {
  /** Default 100. */
  readonly maxNewTokens?: number;
  /** Ends the text when it is drawn, and is part of it; in the prompt it ends nothing. Default none. */
  readonly eosTokenId?: number;
  /** Seed of the draws. Default 0. */
  readonly seed?: number;
  /**
   * `cached` streams the prompt chunk by chunk through the memory and keeps keys and values of the chunk at hand;
   * `recompute` is the reference's generator, which the wirings that leak the future need. Default: by the model.
   */
  readonly generator?: 'cached' | 'recompute';
  readonly signal?: AbortSignal;
}

export interface DocumentGenerationOptions extends RsmGenerationOptions {
  /** Default: six times the same token running ends the text. */
  readonly stops?: DocumentStopRules;
}

/**
 * Writes on from a prompt (rsm.md 6).
 * @returns prompt and new ids.
 * @throws InputError for an empty prompt, ids outside the vocabulary and options out of range.
 */
export async function generateWithRsm(
  text: RsmText,
  prompt: ArrayLike<number>,
  options: RsmGenerationOptions = {},
): Promise<Int32Array> {
  return collect(prompt, streamWithRsm(text, prompt, options));
}

/**
 * Reads a whole document into the memory, then writes on from a prompt, until a stop rule ends it.
 * @returns prompt and new ids.
 * @throws InputError as `generateWithRsm`.
 */
export async function generateWithDocument(
  text: RsmText,
  document: ArrayLike<number>,
  prompt: ArrayLike<number>,
  options: DocumentGenerationOptions = {},
): Promise<Int32Array> {
  const stops = new DocumentStops(options.stops);
  return collect(
    prompt,
    draw(text, document, prompt, options, (id) => stops.push(id)),
  );
}

/** The new ids of `generateWithRsm`, one by one. */
export function streamWithRsm(
  text: RsmText,
  prompt: ArrayLike<number>,
  options: RsmGenerationOptions = {},
): AsyncGenerator<number, void, undefined> {
  return draw(text, [], prompt, options, () => false);
}

async function* draw(
  text: RsmText,
  document: ArrayLike<number>,
  prompt: ArrayLike<number>,
  options: RsmGenerationOptions,
  ends: (id: number) => boolean,
): AsyncGenerator<number, void, undefined> {
  const { maxNewTokens = 100, eosTokenId, seed = 0, signal } = options;
  checkSampling(options, text.model.vocabSize);
  checkIds(document, text.model.vocabSize, 'document');
  checkIds(prompt, text.model.vocabSize, 'prompt');
  if (prompt.length === 0)
    throw new InputError('The prompt is empty; give at least one token to write on from.');
  const rng = Rng.fromSeed(seed);
  const reader = await openReader(text, options.generator);
  try {
    await reader.readDocument(document);
    await reader.read(prompt);
    for (let count = 0; count < maxNewTokens && !signal?.aborted; count++) {
      const id = drawRsmToken(await reader.logits(), options, rng);
      yield id;
      if (id === eosTokenId || ends(id)) return;
      await reader.read([id]);
    }
  } finally {
    await reader.dispose();
  }
}

function openReader(
  { engine, model, params }: RsmText,
  generator: RsmGenerationOptions['generator'],
): Promise<NextTokenReader> | NextTokenReader {
  const config = resolveConfig(model.config as RsmOptions);
  const isCached = generator === undefined ? isCausal(config) : generator === 'cached';
  if (!isCached) return new RecomputingReader(engine, config, params);
  if (isCausal(config)) {
    if (config.slidingWindow > 0) return SessionReader.create(engine, model, params);
    return DecoderReader.create(engine, createRsmModel(config), params);
  }
  throw new InputError(
    "This model's blocks read what the block before wrote, so earlier tokens change with every new one and cannot be cached; use the generator 'recompute'.",
  );
}

async function collect(prompt: ArrayLike<number>, ids: AsyncIterable<number>): Promise<Int32Array> {
  const result = Array.from(prompt);
  for await (const id of ids) result.push(id);
  return Int32Array.from(result);
}

function checkIds(ids: ArrayLike<number>, vocabSize: number, what: string): void {
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!;
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue;
    throw new InputError(`Token ${index} of the ${what} is ${id}, but ids go from 0 to ${vocabSize - 1}.`);
  }
}
