import { type LanguageModel, withoutEnd } from '@palimpsest/harness';
import { type SamplingOptions, type Session, unknownCharactersRemark } from '@palimpsest/lm';
import { ApiError } from './errors.js';
import { requireLength } from './prompt-length.js';
import type { ChatRequest, CompletionRequest } from './requests.js';

/** What a request makes of the model. */
export interface Ask {
  /** Ids that a memory reads in its present state. */
  promptFor(memory: Pick<Session, 'position' | 'lastId'>): Promise<ArrayLike<number>>;
  readonly sampling: SamplingOptions;
  readonly maximumTokens: number;
  readonly stop: readonly string[];
  readonly seed: number | undefined;
  /** Likeliest tokens that are told with every token; undefined: not even its own probability. */
  readonly alternatives: number | undefined;
  /** Id of the memory that is read on and kept. */
  readonly sessionId: string | undefined;
  /** One sentence per thing that was read otherwise than it was sent. */
  readonly warnings: readonly string[];
}

/** How much a request may ask for. */
export interface Limits {
  /** Most tokens of a reply. */
  readonly maximumTokens: number;
  /** Most tokens of a prompt. */
  readonly maximumPromptTokens: number;
}

/** Tokens of a reply when a request does not say. */
const USUAL_TOKENS = 256;

/** What a completion asks for. @throws ApiError for more than a request may ask for. */
export async function askOfCompletion(
  language: LanguageModel,
  limits: Limits,
  request: CompletionRequest,
): Promise<Ask> {
  const prompt = promptOf(request);
  if (typeof prompt === 'string') await requireLength(language, limits.maximumPromptTokens, prompt);
  return {
    ...commonOf(language, limits, request, request.max_tokens, 'max_tokens'),
    promptFor: async ({ position }) =>
      typeof prompt === 'string' ? encoded(language, prompt, position === 0) : prompt,
    alternatives: request.logprobs ?? undefined,
    warnings: typeof prompt === 'string' ? warningsOf(language, prompt) : [],
  };
}

/** Ids of a text; while a long one is encoded, others have their turn. */
async function encoded(language: LanguageModel, text: string, isStart: boolean): Promise<Int32Array> {
  const { tokenizer } = language;
  const inTurns = isStart ? language.encodeStartInTurns?.(text) : tokenizer.encodeInTurns?.(text);
  return inTurns ?? (isStart ? language.encodeStart(text) : tokenizer.encode(text));
}

/** A text, or ids. */
function promptOf({ prompt }: CompletionRequest): string | readonly number[] {
  if (typeof prompt === 'string') return prompt;
  const [first] = prompt;
  return typeof first === 'string' ? first : prompt.map(Number);
}

/**
 * What a turn of a conversation asks for: with the model's chat template when it has one, else line by line as they are.
 * @throws ApiError for more than a request may ask for.
 */
export async function askOfChat(language: LanguageModel, limits: Limits, request: ChatRequest): Promise<Ask> {
  const messages = request.messages.map(({ role, content }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
  }));
  const lines = messages.map(({ content }) => content).join('\n');
  await requireLength(language, limits.maximumPromptTokens, lines);
  const { chatTemplate } = language;
  const most = request.max_completion_tokens ?? request.max_tokens;
  if (request.top_logprobs != null && request.logprobs !== true) {
    throw new ApiError(400, 'invalid_value', "'top_logprobs' needs 'logprobs' to be true.", 'top_logprobs');
  }
  return {
    ...commonOf(language, limits, request, most, 'max_completion_tokens'),
    promptFor: async ({ position, lastId }) => {
      const isStart = position === 0;
      if (!chatTemplate) return encoded(language, isStart ? lines : `\n${lines}`, isStart);
      if (isStart) return encoded(language, chatTemplate.render(messages), false);
      const ids = await encoded(language, chatTemplate.renderBehindReply(messages), false);
      return withoutEnd(language, ids, lastId);
    },
    alternatives: request.logprobs === true ? (request.top_logprobs ?? 0) : undefined,
    warnings: warningsOf(language, lines),
  };
}

type Common = Omit<ChatRequest, 'messages' | 'logprobs' | 'top_logprobs'> | CompletionRequest;

function commonOf(
  { sampling }: LanguageModel,
  limits: Limits,
  request: Common,
  most: number | null | undefined,
  name: string,
) {
  if (most != null && most > limits.maximumTokens) {
    throw new ApiError(
      400,
      'invalid_value',
      `'${name}' is ${most}, but this server writes at most ${limits.maximumTokens} tokens for a request.`,
      name,
    );
  }
  const { stop } = request;
  return {
    sampling: samplingOf(request, sampling),
    maximumTokens: most ?? Math.min(USUAL_TOKENS, limits.maximumTokens),
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    seed: request.seed ?? undefined,
    sessionId: request.session ?? undefined,
  };
}

/** As the request says, else as the makers of the model draw. */
function samplingOf(request: Common, usual: SamplingOptions): SamplingOptions {
  const asked = {
    temperature: request.temperature,
    // In these requests 0 leaves the likeliest token alone; in the house's options it leaves all.
    topP: request.top_p === 0 ? Number.MIN_VALUE : request.top_p,
    topK: request.top_k,
    minP: request.min_p,
    frequencyPenalty: request.frequency_penalty,
    presencePenalty: request.presence_penalty,
    repetitionPenalty: request.repetition_penalty,
  };
  const said = Object.entries(asked).filter(([, value]) => value != null);
  return { ...usual, ...Object.fromEntries(said) };
}

function warningsOf({ tokenizer }: LanguageModel, text: string): string[] {
  const remark = unknownCharactersRemark(tokenizer, text, 'prompt');
  return remark === undefined ? [] : [remark];
}
