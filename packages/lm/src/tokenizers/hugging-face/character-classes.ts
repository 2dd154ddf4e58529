import { unknownMarks, unknownNonspacing, unknownPunctuation } from './unicode-gaps.js';

/** Ranges of hexadecimal code points, as `b2 bc-be`, as the inside of a class of a regular expression. */
export function classOf(ranges: string): string {
  return ranges
    .trim()
    .split(/\s+/)
    .map((range) => range.replace(/[0-9a-f]+/g, '\\u{$&}'))
    .join('');
}

const test = (expression: RegExp) => (character: string) => expression.test(character);

/** Unicode's White_Space. */
export const isWhiteSpace = test(/^\p{White_Space}$/u);
/** Decimal, letter-like and other numbers. */
export const isNumeric = test(/^\p{N}$/u);
/** ASCII punctuation, its symbols included, and punctuation as the library knows it. */
export const isPunctuation = test(
  new RegExp(`^[[\\p{P}!-\\/\\:-@\\[-\`\\{-~\\u{166d}\\u{111c9}]--[${classOf(unknownPunctuation)}]]$`, 'v'),
);
/** Combining marks, all kinds of them. */
export const combiningMarks = new RegExp(`[\\p{M}--[${classOf(unknownMarks)}]]`, 'gv');
/** Marks that take no place of their own. */
export const nonspacingMarks = new RegExp(
  `[[\\p{Mn}\\u{1734}\\u{1171e}]--[${classOf(unknownNonspacing)}]]`,
  'gv',
);
/** Control and format characters and those of private use, but for the line ends and the tab. */
export const controls = new RegExp(
  `[[\\p{Cc}\\p{Cf}\\p{Co}]--[${classOf('9-a d 890-891 8e2 110cd 13430-1343f')}]]`,
  'gv',
);

/** What Rust's `\w` means. */
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const wordAtEnd = new RegExp(`${WORD}$`, 'u');
const wordAtStart = new RegExp(WORD, 'uy');

/** Words, and runs of what is neither word nor white space. */
export const wordsOrSymbols = new RegExp(`${WORD}+|[^${WORD.slice(1, -1)}\\p{White_Space}]+`, 'gu');

/** Whether a word character stands before an offset. */
export function endsWithWord(text: string, end: number): boolean {
  return wordAtEnd.test(text.slice(Math.max(0, end - 2), end));
}

/** Whether a word character stands at an offset. */
export function startsWithWord(text: string, start: number): boolean {
  wordAtStart.lastIndex = start;
  return wordAtStart.test(text);
}

/** Where the white space that ends at an offset begins. */
export function trailingSpace(text: string, end: number): number {
  let start = end;
  while (start > 0 && isWhiteSpace(text[start - 1]!)) start -= 1;
  return start;
}

/** Where the white space that begins at an offset ends. */
export function leadingSpace(text: string, start: number): number {
  let end = start;
  while (end < text.length && isWhiteSpace(text[end]!)) end += 1;
  return end;
}
