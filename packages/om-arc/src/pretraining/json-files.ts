import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '@palimpsest/tensor-core';
import type { z } from 'zod';

/** Reads a JSON file and checks it. @throws InputError naming the file, the field and what was expected. */
export function readJson<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  if (!existsSync(path)) throw new InputError(`There is no file '${path}'.`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`'${path}' is not JSON: ${(error as Error).message}.`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(
    `'${path}' does not fit at '${issue?.path.join('.') || 'the top'}': ${issue?.message}.`,
  );
}

/** JSON files of a folder in the order of their names. @throws InputError when there are none. */
export function jsonFiles(folder: string): string[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  if (files.length === 0) throw new InputError(`The folder '${folder}' holds no .json files.`);
  return files.sort().map((file) => join(folder, file));
}
