import { z } from 'zod';

/** How the next token is drawn. */
export const samplingOptions = {
  temperature: z
    .number()
    .min(0)
    .default(1)
    .meta({ description: 'divides the logits; below 1 is more cautious, 0 is greedy', aliases: ['temp'] }),
  topK: z
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({
      description: 'draw from the k likeliest tokens only; 0 keeps all',
      aliases: ['topk'],
      value: 'count',
    }),
  topP: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta({
      description: 'draw from the likeliest tokens that hold this probability; 0 keeps all',
      aliases: ['topp'],
    }),
  greedy: z.boolean().default(false).meta({ description: 'always take the likeliest token' }),
  maxNewTokens: z
    .number()
    .int()
    .min(1)
    .default(64)
    .meta({ description: 'tokens to generate', value: 'count' }),
};

/** Seed of everything random. */
export const seedOption = {
  seed: z.number().int().min(0).default(1337).meta({ description: 'seed of every random choice' }),
};
