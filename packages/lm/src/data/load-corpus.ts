import { InputError } from '@palimpsest/tensor-core';
import { nodeModule } from '../node-modules.js';
import { builtInCorpora } from './built-in-corpora.js';
import type { Corpus } from './corpus.js';

const TEXT_FILE = /\.(txt|md|text)$/i;

/**
 * Reads a corpus: the name of a built-in one (`stories`, `default`, `needle`), a text file, or a folder whose text files
 * (`.txt`, `.md`, `.text`, subfolders included, in the order of their paths) become one document each.
 * @throws InputError when there is no such file, it is not UTF-8, or there is no text in it.
 */
export function loadCorpus(source: string): Corpus {
  const builtIn = Object.hasOwn(builtInCorpora, source) ? builtInCorpora[source] : undefined;
  if (builtIn) return builtIn();
  const fs = nodeModule('node:fs');
  const status = fs.statSync(source, { throwIfNoEntry: false });
  if (!status) {
    throw new InputError(
      `There is no file, folder or built-in corpus '${source}'; built in are ${Object.keys(builtInCorpora).join(', ')}.`,
    );
  }
  const files = status.isDirectory() ? textFilesOf(source) : [source];
  const documents = files.map((file) => readText(file)).filter((text) => text !== '');
  if (documents.length === 0) {
    throw new InputError(
      status.isDirectory()
        ? `The folder '${source}' holds no text: expected files that end in .txt, .md or .text.`
        : `The file '${source}' is empty; a corpus needs text.`,
    );
  }
  // A folder's documents stand one after the other: without a line end, the next would go on in the same line.
  const closed = documents.length === 1 ? documents : documents.map((text) => text.replace(/\n?$/, '\n'));
  return { name: source, documents: closed };
}

function textFilesOf(folder: string): string[] {
  const { join } = nodeModule('node:path');
  const entries = nodeModule('node:fs').readdirSync(folder, { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return textFilesOf(path);
      return entry.isFile() && TEXT_FILE.test(entry.name) ? [path] : [];
    })
    .sort((a, b) => (a < b ? -1 : 1));
}

function readText(file: string): string {
  const bytes = nodeModule('node:fs').readFileSync(file);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`The file '${file}' is not UTF-8 text; convert it, for example with iconv.`);
  }
}
