import { describe, expect, it } from 'vitest';
import { restoreTokenizer, SpecialCharacterTokenizer } from '../../src/index.js';

describe('SpecialCharacterTokenizer', () => {
  const tokenizer = SpecialCharacterTokenizer.fromText('to be');

  it('numbers characters from 3, after padding, start and end', () => {
    expect(tokenizer.characters).toEqual([' ', 'b', 'e', 'o', 't']);
    expect([...tokenizer.encode('bet 😀o')]).toEqual([4, 5, 7, 3, 0, 6]);
    expect(tokenizer.vocabSize).toBe(8);
    expect(tokenizer.startId).toBe(3);
    expect(tokenizer.endId).toBe(2);
  });

  it('decodes special ids to nothing and unknown ones to <UNK>', () => {
    expect(tokenizer.decode([1, 4, 5, 2, 0, 99])).toBe('be<UNK>');
    const decoder = tokenizer.streamingDecoder();
    expect([4, 2, 8].map((id) => decoder.push(id))).toEqual(['b', '', '<UNK>']);
  });

  it('is stored and restored', () => {
    const restored = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer)));
    expect([...restored.encode('bet')]).toEqual([4, 5, 7]);
  });
});
