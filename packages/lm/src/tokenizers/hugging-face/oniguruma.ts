import { InputError } from '@palimpsest/base';
import { toRegExp } from 'oniguruma-to-es';

/** Latin-1 numbers that Oniguruma counts as word characters outside of brackets, and not inside of them. */
const WORD = '[[:word:]\u00b2\u00b3\u00b9\u00bc-\u00be]';
const EDGE = `(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD})`;
const OUTSIDE: Readonly<Record<string, string>> = {
  '\\w': WORD,
  '\\W': `[^${WORD.slice(1)}`,
  '\\b': `(?:${EDGE})`,
  '\\B': `(?!${EDGE})`,
};
const INSIDE: Readonly<Record<string, string>> = { '\\w': '[:word:]', '\\W': '[:^word:]' };

/** Letters that fold onto one character, or one character that folds onto several. */
const JOINED_CASES =
  /s[st]|f[fil]|[\u00df\u1e9e\u0130\u0149\u01f0\u0390\u03b0\u0587\u1e96-\u1e9a\u1f50-\u1fff\ufb00-\ufb17]/iu;

/**
 * An Oniguruma expression (Ruby syntax, as the Rust library reads them) as one of JavaScript: white space, digits, words and
 * POSIX classes are Unicode's, `(?i:…)` folds case in its group alone.
 * @throws InputError for an expression that has no equal in JavaScript.
 */
export function expressionOf(source: string, field: string): RegExp {
  const refuse = (reason: string) =>
    new InputError(
      `The tokenizer's '${field}' has the expression ${source}, which cannot be translated: ${reason}.`,
    );
  const isFolded = /\(\?[a-z]*i/.test(source);
  if (isFolded && JOINED_CASES.test(source.replace(/\[[^\]]*\]/g, ''))) {
    throw refuse('without regard to case it joins several letters to one');
  }
  const words = spellWords(source);
  try {
    // An alternative that matches nothing and has a case keeps `(?i:…)` from becoming a flag of the whole expression, under
    // which classes such as \P{L} would be folded too.
    return toRegExp(isFolded ? `(?:${words})|(?!)a` : words, { global: true, target: 'ES2024' });
  } catch (error) {
    throw refuse((error as Error).message.split('\n')[0]!);
  }
}

/** Spells word characters and their edges as Oniguruma means them, which the translator takes for letters and all numbers. */
function spellWords(source: string): string {
  let depth = 0;
  return source.replace(/\\[\s\S]|\[:\^?[a-z]+:\]|[[\]]/g, (part, at) => {
    const isNamed = part.length > 2 && depth > 0;
    if (part.startsWith('[') && !isNamed) depth += 1;
    // Outside of brackets `[:a:]` is a class of three characters, which ends with itself.
    if ((part === ']' && depth > 0 && !opensClass(source, at)) || (part.length > 2 && !isNamed)) depth -= 1;
    return (depth > 0 ? INSIDE : OUTSIDE)[part] ?? part;
  });
}

/** Whether a bracket stands first in its class, where it means itself. */
const opensClass = (source: string, at: number) => /(?<!\\)\[\^?$/.test(source.slice(0, at));
