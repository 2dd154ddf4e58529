import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Rng } from '@palimpsest/tensor-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  BpeTokenizer,
  CharacterTokenizer,
  corpusText,
  defaultCorpus,
  encodeCorpus,
  generateStories,
  generateStory,
  loadCorpus,
  needleCorpus,
  splitCorpus,
} from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-lm-corpora-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('built-in corpora', () => {
  it('have the lengths and vocabularies of the specification', () => {
    const plain = corpusText(defaultCorpus());
    expect(plain.length).toBe(620_000);
    expect(sha256(plain)).toBe('dcaafc79486b6031326003154fb6b9cc80751877e1efd0a7b7efa4350aa9ab17');
    expect(CharacterTokenizer.fromText(plain).vocabSize).toBe(17);
    const needles = corpusText(needleCorpus());
    expect(needles.length).toBe(161_225);
    expect(sha256(needles)).toBe('847d28f2c4ba302e208880e4e3b33052cf0a78981f17ad7470d79764bc216a33');
    expect(CharacterTokenizer.fromText(needles).vocabSize).toBe(13);
    const first = needles.indexOf(' target phrase ');
    expect(first).toBe(247);
    expect(needles.indexOf(' target phrase ', first + 1)).toBe(247 + 262);
  });
});

describe('stories', () => {
  it('are the same for the same seed, and others for another', () => {
    const text = corpusText(generateStories({ seed: 1, characters: 20_000 }));
    expect(corpusText(generateStories({ seed: 1, characters: 20_000 }))).toBe(text);
    expect(corpusText(generateStories({ seed: 2, characters: 20_000 }))).not.toBe(text);
    expect(text.length).toBeGreaterThanOrEqual(20_000);
    expect(text.startsWith(corpusText(generateStories({ seed: 1, characters: 5_000 })))).toBe(true);
  });

  it('recall at the end what only the beginning told, far away', () => {
    const rng = Rng.fromSeed(5);
    const distances: number[] = [];
    for (let i = 0; i < 200; i++) {
      const { text, facts } = generateStory(rng, { minimumEvents: 3, maximumEvents: 14 });
      expect(facts.map(({ kind }) => kind)).toEqual(['place', 'name', 'colour', 'thing']);
      for (const { value, toldAt, recalledAt } of facts) {
        expect(text.slice(toldAt, toldAt + value.length)).toBe(value);
        expect(text.slice(recalledAt, recalledAt + value.length)).toBe(value);
        // Between the opening and the closing sentence nothing repeats the fact.
        const opening = text.indexOf('.', text.indexOf('.') + 1);
        expect(text.slice(opening, text.lastIndexOf('At night')).split(/\W+/)).not.toContain(value);
        distances.push(recalledAt - toldAt);
      }
    }
    expect(Math.min(...distances)).toBeGreaterThan(100);
    expect(Math.max(...distances)).toBeGreaterThan(600);
  });

  it('refuse impossible numbers of sentences', () => {
    expect(() => generateStory(Rng.fromSeed(0), { minimumEvents: 5, maximumEvents: 4 })).toThrow('5 and 4');
  });
});

describe('splitCorpus', () => {
  it('gives each character to exactly one part, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 30 }), { minLength: 1, maxLength: 6 }),
        fc.double({ min: 0.05, max: 0.9, noNaN: true }),
        (documents, fraction) => {
          const text = documents.join('');
          const characters = [...text];
          const border = Math.floor(characters.length * (1 - fraction));
          fc.pre(border > 0);
          const { train, validation } = splitCorpus({ name: 'x', documents }, fraction);
          expect(corpusText(train)).toBe(characters.slice(0, border).join(''));
          expect(corpusText(validation)).toBe(characters.slice(border).join(''));
          expect([...train.documents, ...validation.documents]).not.toContain('');
        },
      ),
    );
  });

  it('keeps documents and cuts only the one on the border', () => {
    const { train, validation } = splitCorpus({ name: 'x', documents: ['abcd', 'efgh', 'ij'] }, 0.4);
    expect(train.documents).toEqual(['abcd', 'ef']);
    expect(validation.documents).toEqual(['gh', 'ij']);
    expect(() => splitCorpus({ name: 'x', documents: ['a'] }, 0.5)).toThrow('too few');
    expect(() => splitCorpus({ name: 'x', documents: ['abc'] }, 1)).toThrow('below 1');
  });
});

describe('encodeCorpus', () => {
  it('closes each of several documents with the end token, when there is one', () => {
    const documents = ['ab', 'c'];
    const bytes = encodeCorpus(BpeTokenizer.train('x', { vocabSize: 257 }), { name: 'x', documents });
    expect([...bytes.ids]).toEqual([97, 98, 256, 99, 256]);
    expect(bytes.documentStarts).toEqual([0, 3]);
    const characters = encodeCorpus(CharacterTokenizer.fromText('abc'), { name: 'x', documents });
    expect([...characters.ids]).toEqual([0, 1, 2]);
    expect(characters.documentStarts).toEqual([0, 2]);
  });
});

describe('loadCorpus', () => {
  it('reads built-in corpora, files and folders', () => {
    expect(sha256(corpusText(loadCorpus('default')))).toBe(
      sha256("hello world, it's test corpus. ".repeat(20_000)),
    );
    const nested = join(folder, 'texts', 'more');
    mkdirSync(nested, { recursive: true });
    writeFileSync(join(folder, 'texts', 'b.txt'), 'second\n');
    writeFileSync(join(folder, 'texts', 'a.md'), 'first');
    writeFileSync(join(folder, 'texts', 'c.png'), 'no text');
    writeFileSync(join(nested, 'z.txt'), 'third');
    expect(loadCorpus(join(folder, 'texts')).documents).toEqual(['first\n', 'second\n', 'third\n']);
    expect(loadCorpus(join(folder, 'texts', 'a.md')).documents).toEqual(['first']);
  });

  it('says what is wrong with a source', () => {
    expect(() => loadCorpus(join(folder, 'nothing'))).toThrow('built in are stories, default, needle');
    expect(() => loadCorpus('toString')).toThrow('There is no file');
    mkdirSync(join(folder, 'empty'));
    expect(() => loadCorpus(join(folder, 'empty'))).toThrow('.txt, .md or .text');
    writeFileSync(join(folder, 'latin.txt'), Uint8Array.of(0x63, 0xe9, 0x0a));
    expect(() => loadCorpus(join(folder, 'latin.txt'))).toThrow('not UTF-8');
    writeFileSync(join(folder, 'void.txt'), '');
    expect(() => loadCorpus(join(folder, 'void.txt'))).toThrow('is empty');
  });
});
