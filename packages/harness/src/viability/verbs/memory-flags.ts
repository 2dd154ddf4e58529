import type { ConversationOptions } from '@palimpsest/ams-v4';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const form = z.string().optional();

/** How a memory over a language model keeps, finds and reads. */
export const memoryFlags = {
  hops: z
    .int()
    .min(1)
    .max(2)
    .default(1)
    .describe('searches of a question; 2 for questions that need two memories, which it then learns too'),
  lexicalWeight: z.number().min(0).default(0).describe('weight of BM25 over words beside the bundles'),
  dTopic: z.int().min(4).default(48).describe('width of the topic bundle'),
  prefixMode: z.enum(['kv', 'slots']).default('kv').describe('cached keys and values, or token embeddings'),
  kvDtype: z
    .enum(['kakeya', 'int8', 'int4', 'f16', 'f32'])
    .default('kakeya')
    .describe('form of keys and values'),
  kvTokens: z
    .string()
    .default('text')
    .describe('tokens that are kept: text, all, or a number of content tokens'),
  kvContext: z
    .int()
    .min(0)
    .default(3)
    .describe(
      'with kakeya: tokens from which keys and values are predicted, so that only what differs is kept; 0: none',
    ),
  kvBytes: z
    .int()
    .min(1)
    .optional()
    .describe('bytes of a Kakeya record, one per token and set; default 7, and 32 with --kv-context 0'),
  directionDtype: z
    .enum(['int8', 'f32'])
    .default('int8')
    .describe('form of the directions by which memories are found'),
  topK: z.int().min(1).default(4).describe('memories that stand before a prompt at most'),
  pMin: z.number().min(0).max(1).default(0.02).describe('least probability of those after the best'),
  poolLayer: z
    .string()
    .optional()
    .describe(
      'layer whose states retrieval sees, or none for tokens alone; default two thirds of the layers',
    ),
  centroidWeights: z
    .enum(['flat', 'idf'])
    .default('flat')
    .describe('tokens in what retrieval sees: all alike, or rare ones more'),
  leadIn: form.describe('what stands once before all memories, such as the task; \\n is a new line'),
  memoryForm: form.describe("how a text is remembered, such as 'User: {text}\\n', the default"),
  queryForm: form.describe("how a question is asked; default 'User: {text}\\nAssistant:'"),
  contextForm: form.describe(
    "how a text stands in a prompt, for the modes that do so; default 'Context: {text}\\n'",
  ),
};

type MemoryFlags = z.output<z.ZodObject<typeof memoryFlags>>;

/**
 * Options of a memory from flags.
 * @throws InputError for a flag that does not fit the others, or says nothing.
 */
export function memoryOptions(flags: MemoryFlags, given: ReadonlySet<string>): ConversationOptions {
  checkKeyValueFlags(flags.kvDtype, given);
  const { prefixMode, kvDtype, kvContext, directionDtype, hops, lexicalWeight, dTopic } = flags;
  const { topK, pMin, centroidWeights } = flags;
  return {
    ...{ prefixMode, kvDtype, kvContext, directionDtype, hops, lexicalWeight, dTopic, pMin, centroidWeights },
    kvTokens: keptTokens(flags.kvTokens),
    kvBytesPerVec: flags.kvBytes,
    fusedTopK: topK,
    poolLayer: pooledLayer(flags.poolLayer),
    leadIn: lines(flags.leadIn),
    memoryForm: lines(flags.memoryForm),
    queryForm: lines(flags.queryForm),
    contextForm: lines(flags.contextForm),
  };
}

/** New lines in place of what says them, since few shells let one type them. */
const lines = (text: string | undefined): string | undefined => text?.replaceAll('\\n', '\n');

/** @throws InputError for anything but none or a number. */
function pooledLayer(given: string | undefined): 'none' | number | undefined {
  if (given === undefined || given === 'none') return given;
  const layer = Number(given);
  if (given !== '' && Number.isInteger(layer) && layer >= 0) return layer;
  throw new InputError(`--pool-layer is the number of a layer, or none, but '${given}' was given.`);
}

/** @throws InputError for anything but text, all or a number. */
function keptTokens(given: string): 'text' | 'all' | number {
  if (given === 'text' || given === 'all') return given;
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new InputError(`--kv-tokens is text, all, or a number of content tokens, but '${given}' was given.`);
}

/** @throws InputError for a flag of Kakeya records beside another form of keys and values. */
function checkKeyValueFlags(kvDtype: string, given: ReadonlySet<string>): void {
  if (kvDtype === 'kakeya') return;
  const flag = given.has('kvContext') ? '--kv-context' : given.has('kvBytes') ? '--kv-bytes' : undefined;
  if (flag) throw new InputError(`${flag} is for Kakeya records; leave it out with --kv-dtype ${kvDtype}.`);
}
