import { InputError } from '@palimpsest/base';
import { type JsonObject, MOST_LAYERS } from '@palimpsest/lm';
import { z } from 'zod';

export const count = z.int().min(1);
export const layerCount = count.max(MOST_LAYERS);
/** Yes or no; null is no, as in Python. */
export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
/** One id or a list of them. */
export const ids = z.union([z.int(), z.array(z.int())]).nullish();

export const listOf = (value: number | number[] | null | undefined): number[] =>
  typeof value === 'number' ? [value] : (value ?? []);

/** Checks the part of a config.json that is read. @throws InputError naming the file and the key that is missing or wrong. */
export function parseConfig<S extends z.ZodType>(schema: S, json: JsonObject, source: string): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const key = issue.path.join('.');
  const given = issue.path.reduce<unknown>((value, part) => (value as JsonObject)?.[part as string], json);
  throw new InputError(
    `${source}: the key '${key}' is ${given === undefined ? 'missing' : `${JSON.stringify(given)}, which is not supported`}: ${issue.message}.`,
  );
}
