import { InputError, nodeModule } from '@palimpsest/base';
import { builtInCorpora } from './built-in-corpora.js';
import type { Corpus } from './corpus.js';
import { storiesOf, wikiArticlesOf } from './document-layouts.js';
import { readTextFile } from './text-file.js';
import { filesOfFolder, readable } from './text-folder.js';

const TEXT_FILE = /\.(txt|md|text)$/i;
const STORY_FILE = /\.(txt|jsonl|json)$/i;
const WIKI_TRAIN_FILE = /^wiki\.train\.(tokens|raw)$|\btrain\b.*\.(txt|tokens|raw)$/i;

/** How the files of a corpus are cut into documents. */
export const corpusLayouts = ['plain', 'stories', 'wikitext'] as const;
export type CorpusLayout = (typeof corpusLayouts)[number];

interface Layout {
  /** Which files of a folder are read. */
  readonly files: RegExp;
  readonly expected: string;
  documentsOf(contents: string): string[];
}

const layouts: Readonly<Record<CorpusLayout, Layout>> = {
  plain: {
    files: TEXT_FILE,
    expected: 'files that end in .txt, .md or .text',
    documentsOf: (contents) => (contents === '' ? [] : [contents]),
  },
  stories: {
    files: STORY_FILE,
    expected: 'files that end in .txt, .jsonl or .json',
    documentsOf: (contents) => storiesOf(contents),
  },
  wikitext: {
    files: WIKI_TRAIN_FILE,
    expected: 'a training file such as wiki.train.tokens or wiki.train.raw',
    documentsOf: wikiArticlesOf,
  },
};

/**
 * Reads a corpus: the name of a built-in one (`stories`, `default`, `needle`), a file, or a folder, whose files are read in
 * the order of their paths, subfolders included. By layout: `plain` makes one document of each text file (`.txt`, `.md`,
 * `.text`); `stories` reads TinyStories (text with `<|endoftext|>` between stories, JSON lines, or a JSON array), the first 500
 * stories of each file; `wikitext` reads the training file of WikiText, one document per article.
 * @throws InputError naming file and place when there is no such file, it is not UTF-8, or there is no text in it.
 */
export function loadCorpus(source: string, layout: CorpusLayout = 'plain'): Corpus {
  const builtIn = Object.hasOwn(builtInCorpora, source) ? builtInCorpora[source] : undefined;
  if (builtIn) return builtIn();
  const { files: pattern, expected, documentsOf } = layouts[layout];
  const status = readable(source, (path) => nodeModule('node:fs').statSync(path, { throwIfNoEntry: false }));
  if (!status) {
    throw new InputError(
      `There is no file, folder or built-in corpus '${source}'; built in are ${Object.keys(builtInCorpora).join(', ')}.`,
    );
  }
  const files = status.isDirectory() ? filesOfFolder(source, pattern) : [source];
  const documents = files.flatMap((file) => named(file, () => documentsOf(readTextFile(file))));
  if (documents.length === 0) {
    throw new InputError(
      status.isDirectory()
        ? `The folder '${source}' holds no text: expected ${expected}.`
        : `The file '${source}' is empty; a corpus needs text.`,
    );
  }
  // Documents stand one after the other: without a line end, the next would go on in the same line.
  const closed = documents.length === 1 ? documents : documents.map((text) => text.replace(/\n?$/, '\n'));
  return { name: source, documents: closed };
}

/** Puts the file's name into messages about its contents. */
function named<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { message } = error as Error;
    throw message.includes(file) ? error : new InputError(`The file '${file}': ${message}`);
  }
}
