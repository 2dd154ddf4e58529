import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PretrainedTokenizer } from '../src/index.js';
import { splitAt, translate } from '../src/tokenizer/pattern.js';

/** A byte-level tokenizer over single bytes and a few merges. */
function build(changes: Record<string, unknown> = {}, model: Record<string, unknown> = {}) {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let others = 0;
  const alphabet = Array.from({ length: 256 }, (_, byte) =>
    printable(byte) ? String.fromCharCode(byte) : String.fromCharCode(256 + others++),
  );
  const vocab: Record<string, number> = Object.fromEntries(alphabet.map((character, id) => [character, id]));
  for (const token of ['ab', 'abc', 'bc', 'aa', 'zz']) vocab[token] = Object.keys(vocab).length;
  return new PretrainedTokenizer({
    model: { type: 'BPE', vocab, merges: ['b c', ['a', 'b'], 'a bc', 'a a'], ...model },
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    decoder: { type: 'ByteLevel' },
    ...changes,
  } as never);
}
const words = (tokenizer: PretrainedTokenizer, text: string) =>
  [...tokenizer.encode(text)].map((id) => tokenizer.decode([id], { skipSpecialTokens: false }));

describe('byte-pair encoding', () => {
  it('merges by rank, the leftmost first', () => {
    expect(words(build(), 'abc')).toEqual(['abc']);
    expect(words(build(), 'abab')).toEqual(['ab', 'ab']);
    expect(words(build(), 'aaa')).toEqual(['aa', 'a']);
    expect(words(build(), 'aaaabc')).toEqual(['aa', 'a', 'abc']);
  });

  it('takes a whole pre-token from the vocabulary only when merges are ignored', () => {
    expect(words(build(), 'zz')).toEqual(['z', 'z']);
    expect(words(build({}, { ignore_merges: true }), 'zz')).toEqual(['zz']);
  });

  it('gives every text back, whatever its characters, also piece by piece', () => {
    const tokenizer = build();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        const decoder = tokenizer.streamingDecoder();
        expect([...ids].map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(text);
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});

describe('added tokens', () => {
  const entry = (id: number, content: string, options = {}) => ({ id, content, special: true, ...options });
  const added = (...entries: object[]) => build({ added_tokens: entries });

  it('are found before anything else, the longest of several, and left out of the text', () => {
    const tokenizer = added(entry(300, '<a>'), entry(301, '<a><b>'));
    expect([...tokenizer.encode('x<a><b><a>')].slice(1)).toEqual([301, 300]);
    expect(tokenizer.decode(tokenizer.encode('x<a>y'))).toBe('xy');
    expect(tokenizer.decode(tokenizer.encode('x<a>y'), { skipSpecialTokens: false })).toBe('x<a>y');
    expect(tokenizer.idOf('<a>')).toBe(300);
    expect(tokenizer.vocabSize).toBe(302);
  });

  it('take the blanks beside them, or stand alone as words, when they say so', () => {
    const strip = added(entry(300, '<s>', { lstrip: true, rstrip: true }));
    expect(words(strip, 'a  <s>  b')).toEqual(['a', '<s>', 'b']);
    const single = added(entry(300, 'aa', { single_word: true }));
    expect([...single.encode('aa')]).toEqual([300]);
    expect([...single.encode('aab')]).not.toContain(300);
  });
});

describe('expressions of other engines', () => {
  it('mean their white space and both cases', () => {
    expect(splitAt('a\u0085b\ufeffc', translate('\\s+'))).toEqual(['a', '\u0085', 'b\ufeffc']);
    expect(splitAt('a b', translate('[^\\s]+'))).toEqual(['a', ' ', 'b']);
    expect(splitAt("i'LL x's", translate("(?i:'s|'ll)"))).toEqual(['i', "'LL", ' x', "'s"]);
    expect(() => translate('(?i:a')).toThrow('unclosed parenthesis');
    expect(() => translate('[a')).toThrow('cannot be translated');
  });
});

it.each([
  [{ model: {} }, "'model' has no 'vocab'"],
  [{ model: { type: 'WordPiece', vocab: {}, merges: [] } }, "of type 'WordPiece'; only BPE"],
  [
    { model: { vocab: { a: 0 }, merges: ['a b'] } },
    `'model.merges[0]' ("a b") joins tokens that are not in the vocabulary`,
  ],
  [
    { decoder: { type: 'WordPiece' } },
    "'decoder' is of type 'WordPiece', which is not supported; supported are ByteLevel",
  ],
  [{ normalizer: { type: 'Lowercase' } }, "'normalizer' is of type 'Lowercase'"],
  [{ normalizer: 'NFC' }, "'normalizer' has no 'type'"],
  [
    { post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>' } }] } },
    "uses '<s>', which its 'special_tokens' do not define",
  ],
  [{ added_tokens: [{ id: 1 }] }, "'added_tokens[0]' needs a number 'id' and a text 'content'"],
])('refuses %j', (changes, message) => {
  expect(() => build(changes)).toThrow(message);
});
