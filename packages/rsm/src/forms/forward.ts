import { conditional, tf } from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig } from '../config.js';
import { type Dropout, keyedDropout, noDropout } from '../dropout-source.js';
import { forwardLegacyChunk } from '../legacy/chunk.js';
import type { LegacyParams } from '../legacy/parameters.js';
import { resetMemory } from '../memory/between-chunks.js';
import type { RsmParams } from '../parameters.js';
import type { RsmState } from '../state.js';
import { advance } from './advance.js';
import { forwardChunks } from './chunks.js';
import { type ChunksResult, forwardParallel, isParallel } from './parallel.js';
import { advancePrefix } from './prefix.js';

/** Chunks of a training text. */
interface TrainingChunks {
  /** What each chunk of a call drops, by its number. */
  readonly dropoutOf: (chunk: number) => Dropout;
}

/** What a state at a chunk border says. */
type AtBorder = Pick<RsmState, 'memory' | 'chunk'>;

/** Whole chunks in the fastest form that the wiring has. @param tokens int32 [batch, chunks x chunkSize] */
function runChunks(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: AtBorder,
  training?: TrainingChunks,
): ChunksResult {
  const resets = training && config.resetMemoryEvery > 0;
  if (!isParallel(config) || resets) return loopChunks(config, params, tokens, state, training);
  return forwardParallel(
    config,
    params,
    tokens,
    state.memory,
    training && { dropout: training.dropoutOf(0) },
  );
}

/** Whole chunks of texts that stand at a border. @param tokens int32 [batch, chunks x chunkSize] */
export function wholeChunks<State extends AtBorder>(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: State,
): { logits: tf.Tensor; state: State } {
  const { logits, memory } = runChunks(config, params, tokens, state);
  return { logits, state: afterChunks(state, memory, tokens.shape[1] / config.chunkSize) };
}

function loopChunks(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: AtBorder,
  training?: TrainingChunks,
): ChunksResult {
  const options = { ...training, training: training !== undefined, chunksBefore: state.chunk };
  return forwardChunks(config, params, tokens, state.memory, options);
}

const part = (tokens: tf.Tensor2D, from: number, size: number) =>
  tf.slice(tokens, [0, from], [tokens.shape[0], size]) as tf.Tensor2D;

/** The state after whole chunks. */
function afterChunks<State extends AtBorder>(state: State, memory: tf.Tensor, chunks: number): State {
  return {
    ...state,
    memory,
    ...(state.chunk && { chunk: tf.add(state.chunk, tf.scalar(chunks, 'int32')) }),
  };
}

export interface TrainingForward {
  readonly logits: tf.Tensor3D;
  readonly state: RsmState;
  readonly gates: readonly tf.Tensor[];
}

/**
 * Tokens that start at a chunk border, for training: gradients flow through all chunks, and a shorter last chunk is written
 * as it is, so that the state is at a border again. The wirings that leak show each token the chunk's future, as published.
 */
export function forwardTraining(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: RsmState,
  dropoutKey?: tf.Tensor,
): TrainingForward {
  const { chunkSize } = config;
  const length = tokens.shape[1];
  const whole = Math.floor(length / chunkSize);
  const rest = length - whole * chunkSize;
  const dropoutFrom = (first: number): TrainingChunks => ({
    dropoutOf: (chunk) => (dropoutKey ? keyedDropout(dropoutKey, config, first + chunk) : noDropout),
  });
  const parts: ChunksResult[] = [];
  let current = state;
  const add = (piece: tf.Tensor2D, chunk: number, count: number, run: typeof runChunks) => {
    const result = run(config, params, piece, current, dropoutFrom(chunk));
    parts.push(result);
    current = afterChunks(current, result.memory, count);
  };
  if (config.preset === 'legacy') {
    for (let from = 0; from < length; from += chunkSize) {
      add(part(tokens, from, Math.min(chunkSize, length - from)), 0, 1, legacyChunk);
    }
  } else {
    if (whole > 0) add(part(tokens, 0, whole * chunkSize), 0, whole, runChunks);
    if (rest > 0) add(part(tokens, whole * chunkSize, rest), whole, 1, loopChunks);
  }
  return {
    logits: tf.concat(
      parts.map(({ logits }) => logits),
      1,
    ) as tf.Tensor3D,
    state: current,
    gates: parts.flatMap(({ gates }) => gates),
  };
}

const legacyChunk: typeof runChunks = (config, params, tokens, state) => {
  const start = state.chunk ? resetMemory(config, params, state.memory, state.chunk) : state.memory;
  const { logits, memory } = forwardLegacyChunk(params as unknown as LegacyParams, tokens, start);
  return { logits, memory, gates: [] };
};

/**
 * Any number of tokens from any state, exactly as token after token would read them. Texts that all stand at a chunk border
 * take whole chunks in their fastest form; others go piece by piece.
 */
export function forwardExactly(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: RsmState,
): { logits: tf.Tensor3D; state: RsmState } {
  const { chunkSize } = config;
  const length = tokens.shape[1];
  if (!isCausal(config))
    return inPieces(config, tokens, state, (piece, from) => advancePrefix(config, params, piece, from));
  const general = () =>
    inPieces(config, tokens, state, (piece, from) => advance(config, params, piece, from));
  if (length < chunkSize) return general();
  const aligned = () => {
    const whole = Math.floor(length / chunkSize);
    const { logits, state: next } = wholeChunks(config, params, part(tokens, 0, whole * chunkSize), state);
    const rest = length - whole * chunkSize;
    if (rest === 0) return { logits: logits as tf.Tensor3D, state: next };
    const tail = advance(config, params, part(tokens, whole * chunkSize, rest), next, false);
    return { logits: tf.concat([logits, tail.logits], 1) as tf.Tensor3D, state: tail.state };
  };
  return conditional(tf.all(tf.equal(state.position, tf.scalar(0, 'int32'))), aligned, general);
}

type Advance = (tokens: tf.Tensor2D, state: RsmState) => { logits: tf.Tensor3D; state: RsmState };

function inPieces({ chunkSize }: RsmConfig, tokens: tf.Tensor2D, state: RsmState, read: Advance) {
  const length = tokens.shape[1];
  const logits: tf.Tensor[] = [];
  let current = state;
  for (let from = 0; from < length; from += chunkSize) {
    const result = read(part(tokens, from, Math.min(chunkSize, length - from)), current);
    logits.push(result.logits);
    current = result.state;
  }
  return { logits: tf.concat(logits, 1) as tf.Tensor3D, state: current };
}
