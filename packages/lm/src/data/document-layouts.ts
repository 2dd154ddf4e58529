import { InputError } from '@palimpsest/base';

const END_OF_STORY = '<|endoftext|>';
/** ` = Title = ` at the start of an article; sections have two or more signs on either side. */
const ARTICLE_HEADING = /^ = [^=\n].* = ?$/gm;

/** How many stories the reference of TinyStories trainings reads. */
const STORIES = 500;

/**
 * The stories of a TinyStories file: text with `<|endoftext|>` between stories, one JSON object with a field `text` or
 * `story` per line, or a JSON array of such objects or of texts. Blanks and line ends around a story are cut off.
 * @param limit most stories. Default 500.
 * @throws InputError for an entry that holds no story.
 */
export function storiesOf(contents: string, limit = STORIES): string[] {
  const entries = jsonArrayOf(contents) ?? jsonLinesOf(contents, limit);
  const stories = entries ? entries.slice(0, limit).map(storyOf) : contents.split(END_OF_STORY);
  const full = stories.map((story) => story.trim()).filter((story) => story !== '');
  return full.slice(0, limit);
}

/** The entries of a JSON array; nothing for a text that is none. */
function jsonArrayOf(contents: string): unknown[] | undefined {
  if (!/^\s*\[\s*[[{"\]]/.test(contents)) return undefined;
  try {
    return JSON.parse(contents) as unknown[];
  } catch (error) {
    // A text may begin with a bracket; an array of objects that breaks off is none.
    if (!/^\s*\[\s*\{/.test(contents)) return undefined;
    throw new InputError(`The stories begin as a JSON array, which breaks off: ${(error as Error).message}.`);
  }
}

/** One entry per line; nothing for a text that does not begin with an object. */
function jsonLinesOf(contents: string, limit: number): unknown[] | undefined {
  if (!contents.trimStart().startsWith('{')) return undefined;
  const lines = contents.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(0, limit).map((line, index) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      throw new InputError(`Story ${index + 1} is not a line of JSON with a field 'text' or 'story'.`);
    }
  });
}

function storyOf(entry: unknown, index: number): string {
  if (typeof entry === 'string') return entry;
  const { text, story } = (entry ?? {}) as { text?: unknown; story?: unknown };
  const found = text ?? story;
  if (typeof found === 'string') return found;
  throw new InputError(`Story ${index + 1} is no JSON object with a text in its field 'text' or 'story'.`);
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
