import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { TextModel } from '../model/text-model.js';

const count = z.int().min(1);

/** Options of a memory of keys and values (DERIVATION.md, "Key and value memory"). */
export const conversationSchema = z.strictObject({
  prefixMode: z
    .enum(['kv', 'slots'])
    .default('kv')
    .describe('what stands before a prompt: cached keys and values of the memories, or token embeddings'),
  lMem: count.default(64).describe('most positions of the prefix'),
  fusedTopK: count.default(4).describe('memories that a prompt finds'),
  hops: z
    .int()
    .min(1)
    .max(4)
    .default(1)
    .describe('searches of a question; each after the first asks with the best memory of the one before'),
  pMin: z.number().min(0).max(1).default(0.02).describe('least probability of a memory that is not the best'),
  tau: z.number().gt(0).lt(1).default(0.07).describe('temperature of the contrastive retrieval'),
  dTime: z.int().min(4).default(8).describe('base dimension of the time bundle'),
  dTopic: z.int().min(4).default(48).describe('base dimension of the topic bundle'),
  dCtx: z.int().min(4).default(12).describe('base dimension of the context bundle'),
  poolLayer: z
    .union([z.int().min(0), z.literal('none')])
    .optional()
    .describe('layer whose states retrieval sees; default two thirds of the layers, none for tokens alone'),
  centroidWeights: z
    .enum(['flat', 'idf'])
    .default('flat')
    .describe('weights of tokens in the centroid: all alike, or rare ones more'),
  featureNoise: z.number().min(0).default(0.5).describe('deviation of the noise on features in training'),
  lexicalWeight: z.number().min(0).default(0).describe('weight of BM25 over words beside the bundles'),
  kvTokens: z
    .union([z.enum(['text', 'all']), count])
    .default('text')
    .describe('tokens whose keys and values are kept: those of the text, all, or this many content tokens'),
  kvEnds: z
    .enum(['both', 'last', 'none'])
    .default('both')
    .describe('ends of a line that are kept beside content tokens'),
  kvDtype: z
    .enum(['kakeya', 'int8', 'int4', 'f16', 'f32'])
    .default('kakeya')
    .describe('form of keys and values'),
  kvContext: z
    .int()
    .min(0)
    .default(3)
    .describe(
      'with kakeya: tokens, one and those before it, from which its keys and values are predicted, so that only what differs is kept; 0 for none',
    ),
  kvBytesPerVec: z
    .int()
    .min(1)
    .optional()
    .describe('bytes of one Kakeya record; default 7, and 32 where nothing is predicted'),
  directionDtype: z
    .enum(['int8', 'f32'])
    .default('int8')
    .describe('form of the directions by which memories are found'),
  slotsPerMemory: count.default(12).describe('token embeddings of a memory with slots'),
  writeGate: z
    .union([z.literal('off'), z.number().gt(0).max(1)])
    .default('off')
    .describe('topic cosine to a known memory from which a text counts as known and is not written'),
  leadIn: z
    .string()
    .default('')
    .describe('what a memory is read behind, and what stands once before all of them; empty for nothing'),
  memoryForm: z.string().default('User: {text}\n').describe('how a text stands in a conversation'),
  queryForm: z
    .string()
    .default('User: {text}\nAssistant:')
    .describe('how a question stands in a conversation'),
  contextForm: z
    .string()
    .default('Context: {text}\n')
    .describe('how the text of a memory stands in a prompt, where it does'),
});

export type ConversationConfig = z.output<typeof conversationSchema> & { readonly kvBytesPerVec: number };
export type ConversationOptions = z.input<typeof conversationSchema>;

/** Bytes of a record of what differs from a prediction, and of one of whole keys and values. */
const RECORD_BYTES = { predicted: 7, whole: 32 };

/** Fills in defaults. @throws InputError naming the first option that is unknown, of the wrong type or out of range. */
export function conversationConfig(options: ConversationOptions = {}): ConversationConfig {
  const parsed = conversationSchema.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const option = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.');
    throw new InputError(`The option '${option}' of a memory: ${issue.message}.`);
  }
  for (const form of ['memoryForm', 'queryForm', 'contextForm'] as const) {
    if (parsed.data[form].split('{text}').length === 2) continue;
    throw new InputError(
      `The option '${form}' of a memory must hold {text} once, but is '${parsed.data[form]}'.`,
    );
  }
  const kvBytesPerVec =
    parsed.data.kvBytesPerVec ?? RECORD_BYTES[parsed.data.kvContext > 0 ? 'predicted' : 'whole'];
  return Object.freeze({ ...parsed.data, kvBytesPerVec });
}

/** Ids of what a memory is read behind; none where there is nothing. */
export const leadInIds = (text: TextModel, { leadIn }: ConversationConfig): number[] =>
  leadIn === '' ? [] : text.encode(leadIn);

/** Ids of a text that stands behind the lead-in, which then has the special tokens of a beginning. */
export const idsBehindLeadIn = (text: TextModel, { leadIn }: ConversationConfig, whole: string): number[] =>
  text.encode(whole, leadIn === '');

/** A text in its form, and where it begins there. */
export function inForm(form: string, text: string): { readonly whole: string; readonly start: number } {
  const start = form.indexOf('{text}');
  return { whole: form.slice(0, start) + text + form.slice(start + '{text}'.length), start };
}
