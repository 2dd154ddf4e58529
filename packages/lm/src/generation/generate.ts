import { type DrawnToken, topTokens } from '../sampling/draw-token.js';
import type { SamplingOptions } from '../sampling/sampling-options.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import type { Session } from './session.js';
import { StopMatcher } from './stop-matcher.js';

export interface GenerateOptions {
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  /** Text to go on from, or its ids. Empty: the tokenizer's start id. Default ''. */
  readonly prompt?: string | ArrayLike<number>;
  /** Most tokens to write. Default 256. */
  readonly maximumTokens?: number;
  readonly sampling?: SamplingOptions;
  /** Starts the session's random numbers anew, so that equal calls give equal replies. Default: they go on. */
  readonly seed?: number | undefined;
  /** Texts that end the reply; they are not given out. */
  readonly stop?: readonly string[] | undefined;
  /** Ids that end the reply. Default: the tokenizer's end id. */
  readonly stopIds?: readonly number[];
  /** Go on with what the session has read instead of forgetting it first. Default false. */
  readonly keepContext?: boolean;
  /**
   * `exact` draws from the logits after the last prompt token; `reference` reads the last prompt token a second time
   * first, as the original OSAM program does. Default `exact`.
   */
  readonly priming?: 'exact' | 'reference';
  /** How many of the likeliest tokens every event names. Default 0. */
  readonly alternatives?: number;
  /** Tokens of the prompt that are read in one go, asked before each: the process does nothing else meanwhile. Default 64. */
  readonly promptPiece?: () => number;
  readonly signal?: AbortSignal;
}

/** One token, with the text that became certain with it: nothing while a character or a stop sequence is unfinished. */
export interface TokenEvent {
  readonly type: 'token';
  readonly id: number;
  readonly text: string;
  /** Under the model, in nats. */
  readonly logProbability: number;
  /** The likeliest tokens in its place, best first, as many as were asked for. */
  readonly alternatives?: readonly DrawnToken[] | undefined;
}

export interface GenerationEnd {
  readonly type: 'end';
  readonly reason: 'length' | 'stop' | 'aborted';
  /** The id that ended it; the session has read it, and no token event tells it. */
  readonly stopId?: number | undefined;
  /** Text that was still held back. */
  readonly text: string;
  /** Tokens written. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
}

export type GenerationEvent = TokenEvent | GenerationEnd;

/**
 * Writes on from a prompt, token by token. The last event says why it ended; the texts of all events together are the
 * reply. Aborting ends it between two tokens and leaves the session usable.
 */
export async function* generate(options: GenerateOptions): AsyncGenerator<GenerationEvent, void, undefined> {
  const { session, tokenizer, maximumTokens = 256, alternatives: named = 0, sampling, signal } = options;
  const stopIds = options.stopIds ?? (tokenizer.endId === undefined ? [] : [tokenizer.endId]);
  const matcher = new StopMatcher(options.stop ?? []);
  const decoder = tokenizer.streamingDecoder();
  const start = performance.now();
  let tokens = 0;
  const end = (reason: GenerationEnd['reason'], text: string, stopId?: number): GenerationEnd => {
    const seconds = (performance.now() - start) / 1000;
    const rate = { tokens, tokensPerSecond: tokens / Math.max(seconds, 1e-9) };
    return { type: 'end', reason, text, ...rate, stopId };
  };
  await readPrompt(options);
  while (tokens < maximumTokens) {
    if (signal?.aborted) return yield end('aborted', decoderRest());
    const alternatives = named > 0 ? topTokens(await session.logits(), named) : undefined;
    const { id, logProbability } = await session.next(sampling);
    tokens += 1;
    if (stopIds.includes(id)) return yield end('stop', decoderRest(), id);
    const { text, stopped } = matcher.push(decoder.push(id));
    yield { type: 'token', id, text, logProbability, alternatives };
    if (stopped) return yield end('stop', '');
  }
  yield end('length', decoderRest());

  function decoderRest(): string {
    const { text, stopped } = matcher.push(decoder.flush());
    return stopped ? text : text + matcher.flush();
  }
}

/**
 * Tokens of a prompt between two looks at the signal: the pieces that decoders read by default, which take a large model a
 * second. With chunks that do not divide it the last tokens of every piece are read in smaller ones, to the same memory but
 * for rounding.
 */
const PROMPT_PIECE = 64;

async function readPrompt(options: GenerateOptions): Promise<void> {
  const { session, tokenizer, prompt = '', keepContext = false, priming = 'exact', seed, signal } = options;
  const { promptPiece = () => PROMPT_PIECE } = options;
  if (seed !== undefined) session.reseed(seed);
  if (!keepContext) await session.prefill([]);
  const encoded = Array.from(typeof prompt === 'string' ? tokenizer.encode(prompt) : prompt);
  const ids = encoded.length === 0 && session.position === 0 ? [tokenizer.startId] : encoded;
  const again = priming === 'reference' ? ids.slice(-1) : [];
  const all = [...ids, ...again];
  await session.reserve(all.length);
  for (let at = 0; at < all.length && !signal?.aborted; ) {
    const piece = all.slice(at, at + promptPiece());
    await session.append(piece);
    at += piece.length;
  }
}

/** The whole reply at once. */
export async function generateText(options: GenerateOptions): Promise<string> {
  let reply = '';
  for await (const event of generate(options)) reply += event.text;
  return reply;
}
