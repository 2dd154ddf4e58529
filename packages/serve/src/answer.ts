import { randomInt } from 'node:crypto';
import { InputError } from '@palimpsest/base';
import type { LanguageModel } from '@palimpsest/harness';
import {
  type GenerationEnd,
  generate,
  type Session,
  type SessionSnapshot,
  type TokenEvent,
} from '@palimpsest/lm';
import { ApiError } from './errors.js';
import type { Metrics } from './metrics.js';
import { tooLong } from './prompt-length.js';
import type { Ask, Limits } from './served-model.js';
import type { SessionPool } from './session-pool.js';
import type { SessionStore } from './session-store.js';

/** What a reply is written with. */
export interface Desk {
  readonly language: LanguageModel;
  readonly pool: SessionPool;
  readonly store: SessionStore;
  readonly metrics: Metrics;
  readonly limits: Limits;
  /** Told what went wrong inside. */
  readonly onFailure: (error: unknown) => void;
}

/** What a reply was. */
export interface Answer {
  readonly end: GenerationEnd;
  /** Tokens of the prompt. */
  readonly read: number;
}

/**
 * Writes the reply to a request, in a memory that is empty or that of its session. A session keeps what was read and written
 * unless the client leaves before the end: then it stays as it was.
 * @param onEvent told every token as it comes; what it returns is waited for
 */
export async function answer(
  desk: Desk,
  ask: Ask,
  signal: AbortSignal,
  onEvent: (event: TokenEvent | GenerationEnd) => void | Promise<void>,
): Promise<Answer> {
  let result: Answer | undefined;
  const work = (before: SessionSnapshot | undefined, keep: boolean) =>
    desk.pool.use(signal, async (session) => {
      if (before) await restore(session, before, ask.sessionId!);
      else await session.prefill([]);
      result = await write(desk, session, ask, signal, before === undefined, onEvent);
      return keep && result.end.reason !== 'aborted' ? session.snapshot() : undefined;
    });
  if (ask.sessionId === undefined) await work(undefined, false);
  else await desk.store.use(ask.sessionId, (before) => work(before, true));
  return result!;
}

/** Tokens of a prompt that are read in one go: more at once are read faster, and nobody's reply goes on meanwhile. */
const PIECE = { alone: 64, besideOthers: 16 } as const;

async function restore(session: Session, memory: SessionSnapshot, id: string): Promise<void> {
  try {
    await session.restore(memory);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new ApiError(
      409,
      'session_of_another_model',
      `The session '${id}' was written by another model or with other parameters; take another id, or remove it.`,
      'session',
    );
  }
}

async function write(
  { language, metrics, limits, pool }: Desk,
  session: Session,
  ask: Ask,
  signal: AbortSignal,
  isNew: boolean,
  onEvent: (event: TokenEvent | GenerationEnd) => void | Promise<void>,
): Promise<Answer> {
  const prompt = await ask.promptFor(session);
  if (prompt.length > limits.maximumPromptTokens) {
    throw tooLong(`has ${prompt.length} tokens`, `${limits.maximumPromptTokens} tokens`);
  }
  const begun = session.position;
  let written = 0;
  const events = generate({
    session,
    tokenizer: language.tokenizer,
    prompt,
    maximumTokens: ask.maximumTokens,
    sampling: ask.sampling,
    // Memories are lent: without a seed, what one request drew must not decide what another draws.
    seed: ask.seed ?? (isNew ? randomInt(2 ** 31) : undefined),
    stop: ask.stop,
    stopIds: language.endIds,
    keepContext: true,
    priming: language.model.speaking?.priming ?? 'exact',
    alternatives: ask.alternatives ?? 0,
    // What a seed gives may not depend on who else asks, and other pieces round otherwise.
    promptPiece: () => (pool.running > 1 || ask.seed !== undefined ? PIECE.besideOthers : PIECE.alone),
    signal,
  });
  for await (const event of events) {
    if (event.type === 'token') {
      written += 1;
      metrics.tokensWritten += 1;
      await onEvent(event);
      continue;
    }
    const read = Math.max(0, session.position - begun - event.tokens);
    metrics.tokensRead += read;
    // The one that ended it was written, too, and is told to nobody.
    if (event.stopId !== undefined) metrics.tokensWritten += 1;
    if (event.reason === 'aborted') metrics.cancelled += 1;
    await onEvent(event);
    return { end: event, read };
  }
  throw new Error(`A reply ended after ${written} tokens without saying why.`);
}
