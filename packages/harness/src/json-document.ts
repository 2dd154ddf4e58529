import { InputError } from '@palimpsest/tensor-core';

/** No file of ours is nested deeper than a handful of levels; programs that walk a value call themselves per level. */
const DEEPEST = 100;

/**
 * Reads JSON that others wrote.
 * @param what the file in a sentence, as in "The grid 'a.json'"
 * @throws InputError when it is no JSON, or nested deeper than anything that is read here.
 */
export function parseJson(text: string, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new InputError(`${what} is no JSON: ${(error as Error).message}.`);
  }
  if (isDeeperThan(value, DEEPEST)) {
    throw new InputError(`${what} is nested more than ${DEEPEST} levels deep, which no such file is.`);
  }
  return value;
}

/** Level by level, without calling itself: the value may be deeper than the stack. */
function isDeeperThan(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= levels; depth++) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}
