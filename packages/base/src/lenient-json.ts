import { InputError } from './errors.js';
import { FIRST_BYTES, foreignCause } from './foreign-cause.js';

/** No file that programs exchange is nested deeper than a handful of levels, and what walks a value calls itself per level. */
const DEEPEST = 100;
/** Stands for NaN between two passes over a document; no text of a document holds it, since it ends in a noncharacter. */
const NOT_A_NUMBER = 'NaN\uffff';

/**
 * A JSON document as other programs write it: a byte order mark before it is skipped, and the numbers `NaN`, `Infinity` and
 * `-Infinity`, which Python writes, are numbers.
 * @param source name of the file, for messages
 * @throws InputError naming the source and the cause: a pointer of Git LFS, a web page, UTF-16, a nesting of
 * more than 100 levels, or where the JSON breaks off.
 */
export function parseJson(contents: string | Uint8Array, source: string): unknown {
  const text = typeof contents === 'string' ? contents.replace(/^\ufeff/, '') : decode(contents, source);
  const value = parseNumbers(text, source);
  if (isDeeperThan(value, DEEPEST)) {
    throw new InputError(`${source} is nested more than ${DEEPEST} levels deep, which no such file is.`);
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

function parseNumbers(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const numbers = spellNumbers(text);
    if (numbers !== text) {
      try {
        return JSON.parse(numbers, (_key, value: unknown) => (value === NOT_A_NUMBER ? Number.NaN : value));
      } catch {
        // The message of the document as it stands is the one that helps.
      }
    }
    const cause = foreignCause(new TextEncoder().encode(text.slice(0, FIRST_BYTES)));
    throw new InputError(
      `${source} ${cause ?? `is not JSON: ${(error as Error).message.replace(/\s+/g, ' ')}`}.`,
    );
  }
}

function decode(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${source} is not JSON in UTF-8: save it in that encoding.`);
  }
}

/** The numbers that JSON lacks, outside of texts, spelled as JSON can read them. */
function spellNumbers(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (part) => {
    if (part === 'NaN') return JSON.stringify(NOT_A_NUMBER);
    return part.startsWith('"') ? part : part.replace('Infinity', '1e999');
  });
}
