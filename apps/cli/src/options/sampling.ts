import { type SamplingOptions, samplingSchema } from '@palimpsest/lm';
import { z } from 'zod';
import type { Aliases } from './fields.js';

/** How the next token is drawn: the options of `@palimpsest/lm`, and how much is written. */
export const samplingOptions = {
  ...samplingSchema.omit({ bannedIds: true, paddedFrom: true }).shape,
  greedy: z.boolean().default(false).meta({ description: 'always take the likeliest token: temperature 0' }),
  maxNewTokens: z.number().int().min(1).default(64).meta({ description: 'tokens to write', value: 'count' }),
};

/** Spellings of the reference program. */
export const samplingAliases: Aliases = { temperature: ['temp'], topK: ['topk'], topP: ['topp'] };

/** Seed of everything random. */
export const seedOption = {
  seed: z.number().int().min(0).default(1337).meta({ description: 'seed of every random choice' }),
};

/** How a prompt enters the memory. */
export const primingOption = {
  priming: z.enum(['exact', 'reference']).optional().meta({
    description: 'reference reads the last prompt token twice (default: as the model was configured)',
  }),
};

const schema = z.object(samplingOptions);

/** The part of a verb's options that says how to draw. */
export function samplingOf(options: Readonly<Record<string, unknown>>): SamplingOptions {
  const { greedy, maxNewTokens: _, temperature, ...rest } = schema.parse(options);
  return { ...rest, temperature: greedy ? 0 : temperature };
}
