import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteTokenizer,
  CharacterTokenizer,
  countBytes,
  countCharacters,
  restoreTokenizer,
} from '../../src/index.js';

const unicode = fc.string({ unit: 'binary', maxLength: 40 });

describe('CharacterTokenizer', () => {
  it('numbers code points in their order, beyond the 16-bit plane too', () => {
    const tokenizer = CharacterTokenizer.fromText('b😀a\uffee ');
    expect(tokenizer.characters).toEqual([' ', 'a', 'b', '\uffee', '😀']);
    expect([...tokenizer.encode('a😀b')]).toEqual([1, 4, 2]);
    expect(tokenizer.decode([1, 4, 2])).toBe('a😀b');
  });

  it('maps unknown characters to the blank, or to the first entry', () => {
    expect([...CharacterTokenizer.fromText('ba c').encode('aXc')]).toEqual([1, 0, 3]);
    expect([...CharacterTokenizer.fromText('!bac').encode('aXc')]).toEqual([1, 0, 3]);
    expect(CharacterTokenizer.fromText('! b').startId).toBe(0);
    expect(CharacterTokenizer.fromText('\n b').startId).toBe(1);
  });

  it('says which texts it covers', () => {
    const tokenizer = CharacterTokenizer.fromText('hello world');
    expect(tokenizer.covers('drew')).toBe(true);
    expect(tokenizer.covers('dream')).toBe(false);
  });

  it('undoes its encoding on every text that it covers', () => {
    fc.assert(
      fc.property(unicode, (text) => {
        fc.pre(text !== '');
        const tokenizer = CharacterTokenizer.fromText(text);
        const ids = tokenizer.encode(text);
        expect(ids.length).toBe(countCharacters(text));
        expect(tokenizer.decode(ids)).toBe(text);
        const stored = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer)));
        expect([...stored.encode(text)]).toEqual([...ids]);
      }),
    );
  });

  it('refuses wrong vocabularies and ids', () => {
    expect(() => new CharacterTokenizer(['a', 'bc'])).toThrow('"bc"');
    expect(() => new CharacterTokenizer(['a', 'a'])).toThrow('twice');
    expect(() => CharacterTokenizer.fromText('')).toThrow('empty');
    expect(() => new CharacterTokenizer(['a']).decode([1])).toThrow('id 1 is outside');
  });
});

describe('ByteTokenizer', () => {
  const tokenizer = new ByteTokenizer();

  it('gives UTF-8 bytes and keeps a leading byte-order mark', () => {
    expect([...tokenizer.encode('é\ufeff')]).toEqual([0xc3, 0xa9, 0xef, 0xbb, 0xbf]);
    expect(tokenizer.decode(tokenizer.encode('\ufeffx'))).toBe('\ufeffx');
  });

  it('undoes its encoding, at once and piece by piece, on every Unicode string', () => {
    fc.assert(
      fc.property(unicode, (text) => {
        const ids = tokenizer.encode(text);
        expect(ids.length).toBe(countBytes(text));
        expect(tokenizer.decode(ids)).toBe(text);
        const decoder = tokenizer.streamingDecoder();
        expect([...ids].map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(text);
      }),
    );
  });

  it('gives a character out with its last byte and replaces an unfinished one', () => {
    const decoder = tokenizer.streamingDecoder();
    expect([0xe2, 0x82, 0xac, 0xe2].map((id) => decoder.push(id))).toEqual(['', '', '€', '']);
    expect(decoder.flush()).toBe('\ufffd');
    expect(() => tokenizer.decode([256])).toThrow('256');
  });
});

describe('restoreTokenizer', () => {
  it('names what is wrong', () => {
    expect(() => restoreTokenizer({ kind: 'words' })).toThrow("field 'kind'");
    expect(() => restoreTokenizer({ kind: 'bpe', specialTokens: [], merges: [[1]] })).toThrow('merges.0');
  });
});
