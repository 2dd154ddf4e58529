import { expect, it } from 'vitest';
import { BpeTokenizer, ByteTokenizer, tokenSpans } from '../src/index.js';

it('places tokens on the characters that they stand for, without blanks', () => {
  const text = 'the cat sat on the mat';
  const tokenizer = BpeTokenizer.train(text.repeat(9), { vocabSize: 275 });
  const ids = tokenizer.encode(text);
  const spans = tokenSpans(tokenizer, text, ids);
  expect(spans).toHaveLength(ids.length);
  const pieces = Array.from(ids, (id) => tokenizer.decode([id]).trim());
  expect(spans.map(({ start, end }) => text.slice(start, end))).toEqual(pieces);
});

it('gives all bytes of a character the place of the character', () => {
  const text = 'aé b';
  const spans = tokenSpans(new ByteTokenizer(), text, new ByteTokenizer().encode(text));
  expect(spans).toEqual([
    { start: 0, end: 1 },
    { start: 1, end: 2 },
    { start: 1, end: 2 },
    { start: 2, end: 2 },
    { start: 3, end: 4 },
  ]);
});
