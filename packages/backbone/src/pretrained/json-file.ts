import {
  foreignCause,
  InputError,
  nodeModule,
  parseJson,
  requireRegularFile,
  systemReason,
} from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads a JSON object; nothing when the file does not exist. @throws InputError naming the file when it is no object. */
export async function readJsonFile(path: string): Promise<JsonObject | undefined> {
  const bytes = await readOptional(path);
  if (bytes === undefined) return undefined;
  const value = parseJson(bytes, path);
  if (!isObject(value)) throw new InputError(`${path} does not hold a JSON object.`);
  return value;
}

/** Reads the bytes of a file; nothing when it does not exist. @throws InputError naming the file when it is none of its kind. */
export async function readBinaryFile(path: string): Promise<Uint8Array | undefined> {
  const bytes = await readOptional(path);
  const cause = bytes && foreignCause(bytes);
  if (cause !== undefined) throw new InputError(`${path} ${cause}.`);
  return bytes;
}

/** Reads a text file; nothing when it does not exist. @throws InputError naming the file when it cannot be read. */
export async function readTextFile(path: string): Promise<string | undefined> {
  const bytes = await readOptional(path);
  if (bytes === undefined) return undefined;
  const cause = foreignCause(bytes);
  if (cause !== undefined && bytes.length > 0) throw new InputError(`${path} ${cause}.`);
  return new TextDecoder().decode(bytes);
}

async function readOptional(path: string): Promise<Uint8Array | undefined> {
  const { readFile, stat } = nodeModule('node:fs').promises;
  try {
    // A pipe would be waited for without end.
    const status = await stat(path);
    if (!status.isDirectory()) requireRegularFile(path);
    return await readFile(path);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    if (error instanceof InputError) throw error;
    throw new InputError(`${path} cannot be read: ${systemReason(error)}.`);
  }
}

/** Reads a JSON object that must be there. @throws InputError naming the file. */
export async function requireJsonFile(path: string, purpose: string): Promise<JsonObject> {
  const value = await readJsonFile(path);
  if (value) return value;
  throw new InputError(
    `There is no file ${path}, which ${purpose}; give the folder of a Hugging Face checkpoint.`,
  );
}

/** Puts the file's name before the message. */
export function named<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new InputError(`${path}: ${(error as Error).message}`);
  }
}
