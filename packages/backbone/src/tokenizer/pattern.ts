import { InputError } from '@palimpsest/tensor-core';
import type { JsonValue } from '../sequence-model.js';
import { isObject } from './component.js';

/** Unicode's White_Space, which `\s` of other engines means: JavaScript's lacks U+0085 and has U+FEFF. */
const WHITE_SPACE = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
/** Letters that Unicode folds onto ASCII letters beside their capitals. */
const FURTHER_CASES: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a' };

/** A `pattern` of a tokenizer.json, `{Regex}` or `{String}`, as a JavaScript expression. @throws InputError */
export function patternOf(pattern: JsonValue | undefined, field: string): RegExp {
  if (isObject(pattern) && typeof pattern.String === 'string') {
    return new RegExp(pattern.String.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gu');
  }
  if (isObject(pattern) && typeof pattern.Regex === 'string') return translate(pattern.Regex);
  throw new InputError(`The tokenizer's '${field}' has a pattern that is neither a String nor a Regex.`);
}

/**
 * Translates an expression of the Rust tokenizers: white space spelled out, `(?i:…)` spelled as both cases, which older
 * JavaScript engines lack.
 * @throws InputError for an expression that JavaScript cannot read.
 */
export function translate(source: string): RegExp {
  try {
    return new RegExp(spellWhiteSpace(spellCases(source)), 'gu');
  } catch (error) {
    throw new InputError(
      `The tokenizer's expression ${source} cannot be translated: ${(error as Error).message}.`,
    );
  }
}

function spellWhiteSpace(source: string): string {
  let inClass = false;
  return source.replace(/\\[\s\S]|[[\]]/g, (part) => {
    if (part === '[' || part === ']') inClass = part === '[';
    if (part === '\\s') return inClass ? WHITE_SPACE : `[${WHITE_SPACE}]`;
    if (part === '\\S' && !inClass) return `[^${WHITE_SPACE}]`;
    return part;
  });
}

function spellCases(source: string): string {
  const start = source.indexOf('(?i:');
  if (start < 0) return source;
  const end = closingParenthesis(source, start);
  const inner = source.slice(start + 4, end).replace(/\\[\s\S]|[A-Za-z]/g, (part) => {
    if (part.length > 1) return part;
    const [lower, upper] = [part.toLowerCase(), part.toUpperCase()];
    return `[${lower}${upper}${FURTHER_CASES[lower] ?? ''}]`;
  });
  return `${source.slice(0, start)}(?:${inner})${spellCases(source.slice(end + 1))}`;
}

function closingParenthesis(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    if (source[i] === '\\') i += 1;
    else if (source[i] === '(') depth += 1;
    else if (source[i] === ')') {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  throw new InputError(`The tokenizer's expression ${source} has an unclosed parenthesis.`);
}

/** Cuts a text at the matches of an expression, which are pieces too unless they are dropped. */
export function splitAt(text: string, pattern: RegExp, dropMatches = false): string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue;
    if (match.index > end) pieces.push(text.slice(end, match.index));
    if (!dropMatches) pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
