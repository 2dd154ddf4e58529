import type { z } from 'zod';

/**
 * The first setting of a schema that a file should hold and does not. What a run goes on by is read from its own files or
 * not at all: a default in place of a setting that was lost would train on by other rules without a word. A setting that
 * joins a schema later has to say what the runs before it went by.
 * @returns its name, or undefined when all are there.
 */
export function missingSetting(schema: z.ZodObject, stored: object): string | undefined {
  return Object.entries(schema.shape)
    .filter(([, setting]) => setting.safeParse(undefined).data !== undefined)
    .map(([name]) => name)
    .find((name) => (stored as Record<string, unknown>)[name] === undefined);
}
