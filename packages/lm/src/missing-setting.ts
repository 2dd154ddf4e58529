import type { z } from 'zod';

/**
 * The first setting of a schema that a file should hold and does not. What a run goes on by is read from its own files or
 * not at all: a default in place of a setting that was lost would train on by other rules without a word.
 * @param later settings that joined the schema after runs were saved, which all went by what is their default now
 * @returns its name, or undefined when all are there.
 */
export function missingSetting(
  schema: z.ZodObject,
  stored: object,
  later: readonly string[] = [],
): string | undefined {
  return Object.entries(schema.shape)
    .filter(([, setting]) => setting.safeParse(undefined).data !== undefined)
    .map(([name]) => name)
    .find((name) => !later.includes(name) && (stored as Record<string, unknown>)[name] === undefined);
}
