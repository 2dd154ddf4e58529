import { InputError } from '@palimpsest/tensor-core';

const END_OF_STORY = '<|endoftext|>';
/** ` = Title = ` at the start of an article; sections have two or more signs on either side. */
const ARTICLE_HEADING = /^ = [^=\n].* = ?$/gm;

/** How many stories the reference of TinyStories trainings reads. */
const STORIES = 500;

/**
 * The stories of a TinyStories file: text with `<|endoftext|>` between stories, or one JSON object with a field `text` per
 * line. Blanks and line ends around a story are cut off.
 * @param limit most stories. Default 500.
 * @throws InputError for a line that is no JSON object with a text.
 */
export function storiesOf(contents: string, limit = STORIES): string[] {
  const isJson = contents.trimStart().startsWith('{');
  const pieces = isJson ? contents.split('\n') : contents.split(END_OF_STORY);
  const full = pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
  return full.slice(0, limit).map((piece, index) => (isJson ? textOfLine(piece, index) : piece));
}

function textOfLine(line: string, index: number): string {
  try {
    const { text } = JSON.parse(line) as { text?: unknown };
    if (typeof text === 'string') return text.trim();
  } catch {
    // Said below.
  }
  throw new InputError(`Story ${index + 1} is not a line of JSON with a field 'text'.`);
}

/**
 * The articles of a WikiText file (`wiki.train.tokens`, `wiki.train.raw`): each begins at a heading of the first level,
 * ` = Title = ` on a line of its own, and keeps its sections and their headings.
 */
export function wikiArticlesOf(contents: string): string[] {
  const headings = Array.from(contents.matchAll(ARTICLE_HEADING), ({ index }) => index);
  const borders = [0, ...headings, contents.length];
  const pieces = borders.slice(1).map((end, index) => contents.slice(borders[index], end));
  return pieces.filter((piece) => piece.trim() !== '');
}
