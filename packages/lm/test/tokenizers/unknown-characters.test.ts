import { describe, expect, it } from 'vitest';
import {
  ByteTokenizer,
  CharacterTokenizer,
  SentencePieceTokenizer,
  SpecialCharacterTokenizer,
  type Tokenizer,
  unknownCharactersRemark,
} from '../../src/index.js';

describe('characters that a tokenizer does not know', () => {
  const text = 'a “b” 日本日';
  it.each<[string, Tokenizer, string[]]>([
    ['characters', CharacterTokenizer.fromText('a b'), ['“', '”', '日', '本']],
    ['special characters', SpecialCharacterTokenizer.fromText('a b'), ['“', '”', '日', '本']],
    [
      'pieces',
      SentencePieceTokenizer.train('a b a b', { vocabSize: 20, byteFallback: false }),
      ['“', '”', '日', '本'],
    ],
    ['pieces with bytes', SentencePieceTokenizer.train('a b a b', { vocabSize: 300 }), []],
    ['bytes', new ByteTokenizer(), []],
  ])('are listed by %s', (_kind, tokenizer, expected) => {
    expect(tokenizer.unknownCharacters?.(text) ?? []).toEqual(expected);
    const remark = unknownCharactersRemark(tokenizer, text, 'prompt');
    if (expected.length === 0) expect(remark).toBeUndefined();
    else expect(remark).toContain('The prompt has characters that are not in the vocabulary');
  });

  it('are counted when they are many', () => {
    const remark = unknownCharactersRemark(CharacterTokenizer.fromText('a'), 'bcdefghijklmnop', 'line');
    expect(remark).toMatch(/: "b", "c", .*"k" and 5 more\.$/);
  });
});
