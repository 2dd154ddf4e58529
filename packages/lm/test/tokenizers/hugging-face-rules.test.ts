import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HuggingFaceTokenizer, type JsonValue } from '../../src/index.js';
import { expressionOf } from '../../src/tokenizers/hugging-face/oniguruma.js';
import { expressionPattern } from '../../src/tokenizers/hugging-face/text-pattern.js';

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
  return new HuggingFaceTokenizer({
    model: { type: 'BPE', vocab, merges: ['b c', ['a', 'b'], 'a bc', 'a a'], ...model },
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    decoder: { type: 'ByteLevel' },
    ...changes,
  } as never);
}
const words = (tokenizer: HuggingFaceTokenizer, text: string) =>
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
    const tokenizer = added(entry(261, '<a>'), entry(262, '<a><b>'));
    expect([...tokenizer.encode('x<a><b><a>')].slice(1)).toEqual([262, 261]);
    expect(tokenizer.decode(tokenizer.encode('x<a>y'))).toBe('xy');
    expect(tokenizer.decode(tokenizer.encode('x<a>y'), { skipSpecialTokens: false })).toBe('x<a>y');
    expect(tokenizer.idOf('<a>')).toBe(261);
    expect(tokenizer.vocabSize).toBe(263);
  });

  it('take the blanks beside them, or stand alone as words, when they say so', () => {
    const strip = added(entry(261, '<s>', { lstrip: true, rstrip: true }));
    expect(words(strip, 'a  <s>  b')).toEqual(['a', '<s>', 'b']);
    const both = added(entry(261, '\n', { lstrip: true, rstrip: true }));
    expect(words(both, 'a\n\n \nb')).toEqual(['a', '\n', 'b']);
    const single = added(entry(259, 'aa', { single_word: true }));
    expect([...single.encode('aa')]).toEqual([259]);
    expect(words(single, 'xaa')).toEqual(['x', 'aa']);
    expect(single.decode(single.encode('aa xaa'))).toBe(' x');
  });
});

describe('expressions of Oniguruma', () => {
  const split = (text: string, source: string) =>
    expressionPattern(expressionOf(source, 'pre_tokenizer'))(text).map(({ start, end }) =>
      text.slice(start, end),
    );

  it('mean their white space, words, numbers and both cases', () => {
    expect(split('a\u0085b\ufeffc', '\\s+')).toEqual(['a', '\u0085', 'b\ufeffc']);
    expect(split('a b', '[^\\s]+')).toEqual(['a', ' ', 'b']);
    expect(split("i'LL x's 'ſ", "(?i:'s|'ll)")).toEqual(['i', "'LL", ' x', "'s", ' ', "'ſ"]);
    expect(split('x\u0663', '\\d')).toEqual(['x', '\u0663']);
    // Latin-1 numbers are word characters outside of brackets, other numbers never are.
    expect(split('a²①b', '\\w+')).toEqual(['a²', '①', 'b']);
    expect(split('a²b', '[\\w]+')).toEqual(['a', '²', 'b']);
    expect(split('a\t b', '[[:space:]]+')).toEqual(['a', '\t ', 'b']);
    expect(split('aab', 'a++')).toEqual(['aa', 'b']);
  });

  it('leave classes as they are where only a part folds case', () => {
    // U+0345 is a mark that folds onto a letter.
    expect(split('x\u0345y', "(?i:'s)|[^\\p{L}]")).toEqual(['x', '\u0345', 'y']);
  });

  it('pass over an empty match right after another', () => {
    expect(split('baac', 'a*')).toEqual(['', 'b', 'aa', 'c', '']);
  });

  it.each(['[a', '(?i:a', '(?i:ss)', '\\y'])('refuses %s', (source) => {
    expect(() => expressionOf(source, 'pre_tokenizer')).toThrow(
      `The tokenizer's 'pre_tokenizer' has the expression ${source}, which cannot be translated: `,
    );
  });
});

describe('lengths that the file states', () => {
  const tail = { direction: 'Right', strategy: 'LongestFirst', stride: 0 };

  it('are obeyed, and told', () => {
    const cut = build({ truncation: { ...tail, max_length: 2 } });
    expect(words(cut, 'a b c')).toEqual(['a', ' ']);
    expect(cut.remarks).toEqual([expect.stringContaining('texts are cut to 2 tokens')]);
    const filled = build({ padding: { strategy: { Fixed: 3 }, direction: 'Left', pad_id: 7 } });
    expect([...filled.encode('a')]).toEqual([7, 7, 97]);
    expect(filled.remarks).toEqual([expect.stringContaining('filled with the id 7')]);
    expect(build().remarks).toEqual([]);
  });
});

it('says that an end token has no id, and takes one that has', () => {
  const model = { type: 'BPE', vocab: { a: 0, '</s>': 1 }, merges: [] };
  const made = (eos_token: JsonValue) => new HuggingFaceTokenizer({ model }, { eos_token });
  const lost = `The key 'eos_token' names "<|end|>", which the vocabulary does not have: texts do not end there.`;
  for (const entry of ['<|end|>', { content: '<|end|>', lstrip: false }]) {
    expect(made(entry).remarks).toEqual([lost]);
    expect(made(entry).endId).toBeUndefined();
  }
  for (const entry of ['</s>', { content: '</s>' }])
    expect(made(entry)).toMatchObject({ endId: 1, remarks: [] });
  for (const entry of [null, '']) expect(made(entry).remarks).toEqual([]);
});

it('says which characters become nothing or the unknown token', () => {
  const vocab = { '<unk>': 0, a: 1, b: 2 };
  const model = { type: 'BPE', vocab, merges: [] as string[] };
  const dropping = new HuggingFaceTokenizer({ model });
  expect(dropping.unknownCharacters('ab 日a!')).toEqual(['日', '!']);
  const marking = new HuggingFaceTokenizer({ model: { ...model, unk_token: '<unk>' } });
  expect(marking.unknownCharacters('ab日')).toEqual(['日']);
  expect(build().unknownCharacters('ab日')).toEqual([]);
});

it('numbers added tokens after the vocabulary, as the original, and says so where the file states other ids', () => {
  const model = { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] };
  const tokenizer = new HuggingFaceTokenizer({ model, added_tokens: [{ id: 5, content: 'X' }] });
  expect([...tokenizer.encode('aX')]).toEqual([0, 2]);
  expect(tokenizer.remarks).toEqual([expect.stringContaining('"X" has the id 2, not 5')]);
});

it.each([
  [{ model: {} }, "'model' has no 'vocab'"],
  [
    { model: { type: 'Word', vocab: {} } },
    `'model' is of type "Word", which is not supported; supported are BPE`,
  ],
  [{ model: { vocab: { a: 0 }, merges: ['a b'] } }, `'model.merges[0]' ("a b") joins tokens that are not`],
  [{ model: { vocab: { a: 0 }, merges: [7] } }, "'model.merges[0]' is 7, expected two tokens"],
  [{ model: { vocab: { a: 'x' }, merges: [] } }, `'model.vocab' gives "a" the id "x", which is no index`],
  [
    { model: { vocab: { a: 100_000 }, merges: [] } },
    'the id 100000, far outside of a vocabulary of 1 entries',
  ],
  [{ model: { vocab: { a: 0, b: 0 }, merges: [] } }, 'both "a" and "b" the id 0'],
  [{ model: { vocab: { a: 0 }, merges: [], dropout: 0.1 } }, "'model.dropout' is 0.1"],
  [
    { model: { type: 'Unigram', vocab: [['a']] } },
    `'model.vocab[0]' is ["a"], expected a token and its score`,
  ],
  [{ model: { type: 'Unigram', unk_id: 1, vocab: [['a', 0]] } }, "'model.unk_id' is 1"],
  [
    { decoder: { type: 'Magic' } },
    "'decoder' is of type 'Magic', which is not supported; supported are ByteLevel",
  ],
  [{ normalizer: { type: 'Upper' } }, "'normalizer' is of type 'Upper'"],
  [{ normalizer: 'NFC' }, "'normalizer' is no component"],
  [{ normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } }, 'is cut off'],
  [{ pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Lost' } }, 'the behaviour "Lost"'],
  [{ pre_tokenizer: { type: 'Metaspace', replacement: 'ab' } }, `one character 'replacement', not "ab"`],
  [
    { post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>' } }] } },
    "uses '<s>', which its 'special_tokens' do not define",
  ],
  [{ added_tokens: [{ id: 1 }] }, "'added_tokens[0]' needs an index 'id' and a text 'content'"],
  [{ added_tokens: [{ id: 1e6, content: 'x' }] }, 'far outside'],
  [
    { added_tokens: [{ id: 261, content: 'x', lstrip: 1 }] },
    "'added_tokens[0].lstrip' is neither true nor false",
  ],
  [{ truncation: { max_length: -1 } }, "'truncation' of type truncation needs"],
  [{ padding: { strategy: 'Longest', pad_id: 0 } }, `the strategy "Longest"`],
])('refuses %j', (changes, message) => {
  expect(() => build(changes)).toThrow(message);
});

it('a run of bytes that are no text decodes whatever its length', () => {
  const tokenizer = new HuggingFaceTokenizer({
    model: { type: 'BPE', vocab: { '<0xFF>': 0 }, merges: [], byte_fallback: true },
    decoder: { type: 'ByteFallback' },
  } as never);
  const ids = new Int32Array(200_000);
  expect(tokenizer.decode(ids)).toBe('\ufffd'.repeat(ids.length));
});

it('says which words become the unknown token where their characters are known, and no more', () => {
  const vocab = { '[UNK]': 0, cat: 1, '##s': 2, the: 3 };
  const pieces = new HuggingFaceTokenizer({
    model: {
      type: 'WordPiece',
      vocab,
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
    pre_tokenizer: { type: 'Whitespace' },
  } as never);
  expect(pieces.unknownCharacters('the cats')).toEqual([]);
  expect(pieces.unknownCharacters('the hat cats')).toEqual(['hat']);
  expect(pieces.unknownCharacters('the 日 hat')).toEqual(['日']);
});
