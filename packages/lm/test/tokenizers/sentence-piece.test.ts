import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpusText, generateStories, restoreTokenizer, SentencePieceTokenizer } from '../../src/index.js';

const TEXT = 'the cat sat on the mat, the rat sat on the hat\nthe cat sat';

describe('SentencePieceTokenizer', () => {
  const tokenizer = SentencePieceTokenizer.train(TEXT, { vocabSize: 300 });

  it('learns pieces of words with the mark of the blank before them', () => {
    const pieces = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.pieceOf(id));
    expect(pieces.slice(0, 4)).toEqual(['<unk>', '<s>', '</s>', '<0x00>']);
    // 'a' and 't' go together most often ('at' 7 times); ▁the is a piece of its own in the end.
    expect(pieces[259 + tokenizer.characters.length]).toBe('at');
    expect(pieces).toContain('▁the');
    expect(pieces.filter((piece) => /.▁/.test(piece))).toEqual([]);
    expect(pieces.filter((piece) => /\n./.test(piece))).toEqual([]);
    expect([...tokenizer.encode(' the the')].map((id) => tokenizer.pieceOf(id))).toEqual(['▁the', '▁the']);
  });

  it('undoes its encoding on every well-formed string, at once and piece by piece', () => {
    const exact = fc.string({ unit: 'binary', maxLength: 60 });
    const words = fc.string({
      unit: fc.constantFrom('t', 'h', 'e', ' ', '\n', '▁', 'é', '😀'),
      maxLength: 40,
    });
    fc.assert(
      fc.property(fc.oneof(exact, words), fc.boolean(), (text, dummyPrefix) => {
        const { characters, merges } = tokenizer;
        const other = new SentencePieceTokenizer(characters, merges, { dummyPrefix });
        const ids = other.encode(text);
        expect(other.decode(ids)).toBe(text);
        const decoder = other.streamingDecoder();
        expect([...ids].map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it('covers the most frequent characters up to the asked share, and spells the others in bytes', () => {
    // 60 of a, 39 of b, one of c.
    const rare = SentencePieceTokenizer.train(`${'a'.repeat(60)}${'b'.repeat(39)}c`, {
      vocabSize: 3 + 256 + 2,
      characterCoverage: 0.99,
    });
    expect(rare.characters).toEqual(['a', 'b']);
    expect([...rare.encode('cab')]).toEqual([3 + 'c'.charCodeAt(0), 259, 260]);
    const lossy = SentencePieceTokenizer.train('aab', { vocabSize: 5, byteFallback: false });
    expect(lossy.vocabSize).toBe(5);
    expect([...lossy.encode('abz')]).toEqual([3, 4, 0]);
    expect(lossy.decode([3, 0, 2])).toBe('a \u2047 ');
  });

  it('with a prefix gives the first word the piece that it has inside a text', () => {
    const { characters, merges } = tokenizer;
    const prefixed = new SentencePieceTokenizer(characters, merges, { dummyPrefix: true });
    expect(prefixed.pieceOf(prefixed.encode('the')[0]!)).toBe('▁the');
    expect(tokenizer.pieceOf(tokenizer.encode('the')[0]!)).not.toBe('▁the');
  });

  it('is stored and restored with every option', () => {
    const restored = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer)));
    expect(JSON.stringify(restored)).toBe(JSON.stringify(tokenizer));
    expect([...restored.encode(TEXT)]).toEqual([...tokenizer.encode(TEXT)]);
    expect(restored.endId).toBe(2);
  });

  it('fills the vocabulary from a longer text, and shortens it', () => {
    const text = corpusText(generateStories({ characters: 30_000 }));
    const trained = SentencePieceTokenizer.train(text, {
      vocabSize: 400,
      byteFallback: false,
      characterCoverage: 1,
    });
    const ids = trained.encode(text);
    expect(trained.vocabSize).toBe(400);
    expect(trained.decode(ids) === text).toBe(true);
    expect(text.length / ids.length).toBeGreaterThan(4);
  });

  it('refuses impossible settings', () => {
    expect(() => SentencePieceTokenizer.train('abc', { vocabSize: 100 })).toThrow('from 262');
    expect(() => SentencePieceTokenizer.train('abc', { characterCoverage: 0 })).toThrow('above 0');
    expect(() => new SentencePieceTokenizer(['a'], [[259, 300]])).toThrow(
      'Merge 0 joins the ids 259 and 300',
    );
    expect(() => tokenizer.pieceOf(10_000)).toThrow('outside the vocabulary');
  });
});
