import { z } from 'zod';
import { ApiError } from './errors.js';
import { sessionIdSchema } from './session-store.js';

const share = z.number().min(0).max(1);
const stop = z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]).nullish();

/** Fields that both kinds of completion have. */
const common = {
  model: z.string(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: share.nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: share.nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  seed: z.int().min(0).nullish(),
  stop,
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.literal(1, { error: 'one reply is written for a request; leave it at 1' }).nullish(),
  /** The memory that is read on and kept, by its id. */
  session: sessionIdSchema.nullish(),
  // What says something of the caller and changes no reply.
  user: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  store: z.literal(false).nullish(),
};

const nothing = (what: string) => z.null({ error: `${what} are not supported` }).optional();

export const completionSchema = z.strictObject({
  ...common,
  prompt: z
    .union([z.string(), z.array(z.int().min(0)), z.tuple([z.string()])], {
      error: 'must be a text, a list of one text, or a list of ids',
    })
    .default(''),
  max_tokens: z.int().min(1).nullish(),
  logprobs: z.int().min(0).max(20).nullish(),
  echo: z.literal(false, { error: 'the prompt is not repeated' }).nullish(),
  best_of: z.literal(1, { error: 'one reply is written for a request; leave it at 1' }).nullish(),
  suffix: nothing('texts behind the reply'),
  logit_bias: nothing('biases of logits'),
});

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const messageSchema = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), z.array(textPart).min(1)], { error: 'must be a text or parts of text' }),
  name: nothing('names of speakers'),
  refusal: z.null().optional(),
});

export const chatSchema = z.strictObject({
  ...common,
  messages: z.array(messageSchema).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  response_format: z
    .strictObject({ type: z.literal('text', { error: "only 'text' is supported" }) })
    .nullish(),
  logit_bias: nothing('biases of logits'),
  tools: nothing('tools'),
  tool_choice: nothing('tools'),
});

export type CompletionRequest = z.output<typeof completionSchema>;
export type ChatRequest = z.output<typeof chatSchema>;

/** A checked body. @throws ApiError naming the field that is wrong. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const name = [...issue.path, issue.keys[0]].join('.');
    throw new ApiError(400, 'unknown_parameter', `There is no parameter '${name}' here.`, name);
  }
  const what = path === '' ? 'The body' : `'${path}'`;
  throw new ApiError(400, 'invalid_value', `${what} is wrong: ${issue.message}.`, path === '' ? null : path);
}
