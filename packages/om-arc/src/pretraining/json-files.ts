import { nodeModule, parseJson, readRegularFile, systemReason } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const fileSystem = () => nodeModule('node:fs');
const paths = () => nodeModule('node:path');

/** Reads a JSON file and checks it. @throws InputError naming the file, the field and what was expected. */
export function readJson<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(bytesOf(path), `'${path}'`));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(
    `'${path}' does not fit at '${issue?.path.join('.') || 'the top'}': ${issue?.message}.`,
  );
}

/** The same without the defaults of the schema: what a file leaves out may stand elsewhere. */
export function readGiven<Schema extends z.ZodType>(path: string, schema: Schema): z.input<Schema> {
  readJson(path, schema);
  return readJson(path, z.custom<z.input<Schema>>());
}

function bytesOf(path: string): Uint8Array {
  try {
    return readRegularFile(path);
  } catch (error) {
    throw new InputError(`'${path}' cannot be read: ${systemReason(error)}.`);
  }
}

/** JSON files of a folder in the order of their names. @throws InputError when there are none. */
export function jsonFiles(folder: string): string[] {
  const files = namesIn(folder).filter((file) => file.endsWith('.json') && !file.startsWith('._'));
  if (files.length === 0) throw new InputError(`The folder '${folder}' holds no .json files.`);
  return files.sort().map((file) => paths().join(folder, file));
}

function namesIn(folder: string): string[] {
  try {
    return fileSystem().readdirSync(folder);
  } catch (error) {
    throw new InputError(`The folder '${folder}' cannot be read: ${systemReason(error)}.`);
  }
}
