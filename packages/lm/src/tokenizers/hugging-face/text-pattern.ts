import { InputError } from '@palimpsest/base';
import type { JsonValue } from '../../sequence-model.js';
import { isObject } from './component.js';
import { expressionOf } from './oniguruma.js';

/** A stretch of a text, and whether a pattern matched it. Offsets are in UTF-16 units. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly isMatch: boolean;
}

/** Cuts a text, which is not empty, into stretches that cover it from the first unit to the last. */
export type TextPattern = (text: string) => Stretch[];

/** A `pattern` of a tokenizer.json, `{Regex}` in Oniguruma's syntax or `{String}`. @throws InputError */
export function patternOf(pattern: JsonValue | undefined, field: string): TextPattern {
  if (isObject(pattern) && typeof pattern.String === 'string')
    return expressionPattern(quote(pattern.String));
  if (isObject(pattern) && typeof pattern.Regex === 'string') {
    return expressionPattern(expressionOf(pattern.Regex, field));
  }
  throw new InputError(`The tokenizer's '${field}' has a pattern that is neither a String nor a Regex.`);
}

/** An expression that finds a text itself. */
export function quote(text: string): RegExp {
  // A hyphen needs no escape outside of a class, and `\-` is none in a Unicode expression.
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gu');
}

/** Finds matches as Oniguruma's iterator does: an empty match right after another match is passed over. */
export function expressionPattern(expression: RegExp): TextPattern {
  return (text) => {
    const stretches: Stretch[] = [];
    let from = 0;
    let end = 0;
    let lastMatchEnd = -1;
    while (from <= text.length) {
      expression.lastIndex = from;
      const match = expression.exec(text);
      if (match === null) break;
      const start = match.index;
      const matchEnd = start + match[0].length;
      if (start === matchEnd && matchEnd === lastMatchEnd) {
        from += (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1;
        continue;
      }
      if (end !== start) stretches.push({ start: end, end: start, isMatch: false });
      stretches.push({ start, end: matchEnd, isMatch: true });
      from = matchEnd;
      lastMatchEnd = matchEnd;
      end = matchEnd;
    }
    if (end !== text.length) stretches.push({ start: end, end: text.length, isMatch: false });
    return stretches;
  };
}

/** Matches every character that a predicate holds for, each by itself. */
export function characterPattern(matches: (character: string) => boolean): TextPattern {
  return (text) => {
    const stretches: Stretch[] = [];
    let end = 0;
    let at = 0;
    for (const character of text) {
      const next = at + character.length;
      if (matches(character)) {
        if (end < at) stretches.push({ start: end, end: at, isMatch: false });
        stretches.push({ start: at, end: next, isMatch: true });
        end = next;
      }
      at = next;
    }
    if (end < text.length) stretches.push({ start: end, end: text.length, isMatch: false });
    return stretches;
  };
}

/** What a pattern matches becomes what it does not, and the other way round. */
export function inverted(pattern: TextPattern): TextPattern {
  return (text) => pattern(text).map(({ start, end, isMatch }) => ({ start, end, isMatch: !isMatch }));
}

/** The text with every match replaced. */
export function replaceMatches(text: string, pattern: TextPattern, content: string): string {
  if (text === '') return text;
  const parts = pattern(text).map(({ start, end, isMatch }) => (isMatch ? content : text.slice(start, end)));
  return parts.join('');
}
