import { randomUUID } from 'node:crypto';
import type { LanguageModel } from '@palimpsest/harness';
import type { DrawnToken, GenerationEnd, TokenEvent } from '@palimpsest/lm';

/** Tokens of a request, as clients count them. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export const usageOf = (read: number, written: number): Usage => ({
  prompt_tokens: read,
  completion_tokens: written,
  total_tokens: read + written,
});

/** Why a reply ended, as clients read it. */
export const finishReason = ({ reason }: GenerationEnd): 'stop' | 'length' =>
  reason === 'stop' ? 'stop' : 'length';

type Finish = ReturnType<typeof finishReason> | null;

/** How one kind of completion is written down, whole or piece by piece. */
export interface Shape {
  /** What comes before the first token, piece by piece. */
  opening(): object[];
  piece(text: string, tokens: readonly TokenEvent[], finish: Finish): object;
  whole(text: string, tokens: readonly TokenEvent[], finish: Finish): object;
}

/** Fields of every document of a reply. */
const headOf = (prefix: string, model: string) => ({
  id: `${prefix}-${randomUUID()}`,
  created: Math.floor(Date.now() / 1000),
  model,
});

/** The least log-probability that is told: JSON has no infinity, and clients read numbers. */
const LEAST = -9999;

const told = (logProbability: number) => Math.max(logProbability, LEAST);

/** `/v1/completions`. @param withProbabilities the request asks for them */
export function completionShape(
  { tokenizer }: Pick<LanguageModel, 'tokenizer'>,
  model: string,
  withProbabilities: boolean,
): Shape {
  const head = headOf('cmpl', model);
  let offset = 0;
  const probabilities = (tokens: readonly TokenEvent[]) => {
    if (!withProbabilities) return null;
    const texts = tokens.map(({ id }) => tokenizer.decode([id]));
    return {
      tokens: texts,
      token_logprobs: tokens.map(({ logProbability }) => told(logProbability)),
      top_logprobs: tokens.map(({ alternatives = [] }) =>
        Object.fromEntries(
          alternatives.map(({ id, logProbability }) => [tokenizer.decode([id]), told(logProbability)]),
        ),
      ),
      text_offset: texts.map((text) => {
        offset += text.length;
        return offset - text.length;
      }),
    };
  };
  const document = (text: string, tokens: readonly TokenEvent[], finish: Finish) => ({
    ...head,
    object: 'text_completion',
    choices: [{ index: 0, text, logprobs: probabilities(tokens), finish_reason: finish }],
  });
  return { opening: () => [], piece: document, whole: document };
}

/** `/v1/chat/completions`. */
export function chatShape(
  { tokenizer }: Pick<LanguageModel, 'tokenizer'>,
  model: string,
  withProbabilities: boolean,
): Shape {
  const head = headOf('chatcmpl', model);
  const entry = ({ id, logProbability }: DrawnToken) => {
    const token = tokenizer.decode([id]);
    // A part of a character is no text, and its bytes are not known here.
    const bytes = token.includes('\uFFFD') ? null : [...new TextEncoder().encode(token)];
    return { token, logprob: told(logProbability), bytes };
  };
  const probabilities = (tokens: readonly TokenEvent[]) =>
    withProbabilities
      ? {
          content: tokens.map((token) => ({
            ...entry(token),
            top_logprobs: (token.alternatives ?? []).map(entry),
          })),
          refusal: null,
        }
      : null;
  const piece = (delta: object, tokens: readonly TokenEvent[], finish: Finish) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: probabilities(tokens), finish_reason: finish }],
  });
  return {
    opening: () => [piece({ role: 'assistant', content: '' }, [], null)],
    piece: (content, tokens, finish) => piece(content === '' ? {} : { content }, tokens, finish),
    whole: (content, tokens, finish) => ({
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content, refusal: null },
          logprobs: probabilities(tokens),
          finish_reason: finish,
        },
      ],
    }),
  };
}
