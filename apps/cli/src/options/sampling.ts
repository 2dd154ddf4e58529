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

/**
 * The part of a verb's options that says how to draw.
 * @param given keys that the user set
 * @param usual how the model's makers draw: what holds where the user said nothing
 */
export function samplingOf(
  options: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
  usual: SamplingOptions,
): SamplingOptions {
  const { greedy, maxNewTokens: _, ...asked } = schema.parse(options);
  const unsaid = Object.fromEntries(Object.entries(usual).filter(([key]) => !given.has(key)));
  return { ...asked, ...unsaid, ...(greedy && { temperature: 0 }) };
}
