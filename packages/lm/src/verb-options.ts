import { z } from 'zod';

/** Options of a mechanism's verb that prints: what `VerbOutput` heeds. */
export const outputOptions = {
  json: z.boolean().default(false).describe('print one JSON document'),
  quiet: z.boolean().default(false).describe('no remarks'),
};

/** Option of a mechanism's verb that computes. */
export const threadsOption = z.int().min(1).optional().describe('threads of the engine');
