import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const share = z.number().min(0).max(1);

/** How the next token is drawn. The order of application is fixed: see `nextTokenDistribution`. */
export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).default(1).describe('divides the logits; 0 takes the most likely token'),
  topK: z.int().min(0).default(0).describe('keep the k most likely tokens; 0 keeps all'),
  topKRule: z
    .enum(['exact', 'ties'])
    .default('exact')
    .describe('exact keeps k tokens; ties keeps those too that are as likely as the last of them'),
  topP: share.default(0).describe('keep the most likely tokens up to this probability; 0 or 1 keeps all'),
  topPRule: z
    .enum(['nucleus', 'inclusive', 'exclusive'])
    .default('nucleus')
    .describe(
      'nucleus keeps the token that crosses topP; inclusive also the one after a sum of just topP; exclusive drops what crosses unless it is the first, and applies at 1 too',
    ),
  minP: share.default(0).describe('keep tokens with at least this share of the largest probability'),
  repetitionPenalty: z
    .number()
    .positive()
    .default(1)
    .describe('divides positive and multiplies negative logits of tokens seen lately'),
  frequencyPenalty: z
    .number()
    .default(0)
    .describe('subtracted from a logit for every time its token was seen'),
  presencePenalty: z.number().default(0).describe('subtracted from the logit of a token that was seen'),
  bannedIds: z.array(z.int().min(0)).default([]).describe('tokens that are never drawn'),
  paddedFrom: z
    .int()
    .min(1)
    .optional()
    .describe('ids from here on only fill the vocabulary up and are never drawn'),
});

export type Sampling = z.output<typeof samplingSchema>;
export type SamplingOptions = z.input<typeof samplingSchema>;

/** Fills defaults in. @throws InputError naming the option that does not fit. */
export function parseSampling(options: SamplingOptions = {}): Sampling {
  const parsed = samplingSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') || 'options';
  throw new InputError(`Sampling option '${field}' does not fit: ${issue?.message}.`);
}
