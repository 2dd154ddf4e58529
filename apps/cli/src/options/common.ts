import { type EngineOptions, engineNames } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** Options that every verb has. */
export const outputOptions = {
  json: z.boolean().default(false).meta({ description: 'print the result as one JSON document' }),
  quiet: z.boolean().default(false).meta({ description: 'no progress and no remarks' }),
};

/** Options of every verb that computes. */
export const engineOptions = {
  engine: z
    .enum(['auto', ...engineNames])
    .default('auto')
    .meta({ description: 'what runs the computation' }),
  threads: z
    .number()
    .int()
    .min(1)
    .optional()
    .meta({ description: 'threads for one operation (default: all cores)', value: 'count' }),
};

/** The options of `createEngine` from those of a verb. */
export function engineSettings({ threads }: { readonly threads?: unknown }): EngineOptions {
  return typeof threads === 'number' ? { threads } : {};
}
