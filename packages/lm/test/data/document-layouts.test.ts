import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCorpus, storiesOf, wikiArticlesOf } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-layouts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('TinyStories files', () => {
  it('are cut at the end-of-text mark, and after 500 stories', () => {
    const text = Array.from({ length: 600 }, (_, i) => `Story ${i}.\n\nEnd.`).join('\n<|endoftext|>\n');
    const stories = storiesOf(text);
    expect(stories.length).toBe(500);
    expect(stories[499]).toBe('Story 499.\n\nEnd.');
    expect(storiesOf(text, 1000).length).toBe(600);
  });

  it('may hold one JSON object per line', () => {
    expect(storiesOf('{"text": "One."}\n{"text": " Two.\\nMore. "}\n')).toEqual(['One.', 'Two.\nMore.']);
    expect(() => storiesOf('{"text": "One."}\n{"title": "Two."}')).toThrow('Story 2');
  });

  it('become a corpus of one document per story', () => {
    const file = join(folder, 'TinyStories-train.txt');
    writeFileSync(file, 'One.\n<|endoftext|>\nTwo.\n');
    expect(loadCorpus(file, 'stories').documents).toEqual(['One.\n', 'Two.\n']);
  });
});

describe('WikiText files', () => {
  const text =
    ' \n = Ada = \n \n Ada = one of them .\n = = Life = = \n Born .\n \n = Bruno = \n \n He sat .\n';

  it('are cut at headings of the first level', () => {
    expect(wikiArticlesOf(text)).toEqual([
      ' = Ada = \n \n Ada = one of them .\n = = Life = = \n Born .\n \n',
      ' = Bruno = \n \n He sat .\n',
    ]);
  });

  it('are the training files of a folder', () => {
    const wiki = join(folder, 'wikitext-103');
    mkdirSync(wiki);
    writeFileSync(join(wiki, 'wiki.train.tokens'), text);
    writeFileSync(join(wiki, 'wiki.valid.tokens'), ' = Other = \n No .\n');
    const { documents } = loadCorpus(wiki, 'wikitext');
    expect(documents.length).toBe(2);
    expect(documents[0]).toContain('= = Life = =');
    rmSync(join(wiki, 'wiki.train.tokens'));
    expect(() => loadCorpus(wiki, 'wikitext')).toThrow('wiki.train.tokens');
  });
});
