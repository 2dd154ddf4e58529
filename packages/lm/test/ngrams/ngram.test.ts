import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CharacterTokenizer,
  corpusText,
  generateStories,
  NgramModel,
  ngramFloors,
  splitCorpus,
} from '../../src/index.js';

describe('NgramModel', () => {
  it('follows the formula on a text small enough for paper', () => {
    // 'abaab' with V = 2: c(a) = 3, c(b) = 2, N = 5, T = 2. P1(a) = (3 + 2/2) / (5 + 2) = 4/7, P1(b) = 3/7.
    // After a: b, a, b: c = 3, T = 2. P2(a | a) = (1 + 2 · 4/7) / 5 = 3/7, P2(b | a) = 4/7.
    // After b: a: c = 1, T = 1. P2(a | b) = (1 + 4/7) / 2 = 11/14.
    // After 'ab': a: c = 1, T = 1. P3(a | ab) = (1 + 11/14) / 2 = 25/28.
    const model = new NgramModel([0, 1, 0, 0, 1], { order: 3, vocabSize: 2 });
    const probabilities = [...model.probabilities([0, 1, 0], 2)];
    const expected = [4 / 7, 11 / 14, 25 / 28];
    probabilities.forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index]!, 14);
    });
    // 'aa' was seen before b only; 'bb' never: the shorter context decides.
    expect(model.probabilities([1, 1, 0], 2)[2]).toBeCloseTo(11 / 14, 14);
    expect([...model.distribution([0])].map((value) => value * 7)).toEqual([
      expect.closeTo(3, 12),
      expect.closeTo(4, 12),
    ]);
    const losses = model.evaluate([0, 1, 0]);
    expect(losses[0]).toBeCloseTo(-(2 * Math.log(4 / 7) + Math.log(3 / 7)) / 3, 14);
    expect(losses[1]).toBeCloseTo(-(Math.log(4 / 7) + Math.log(4 / 7) + Math.log(11 / 14)) / 3, 14);
    expect(model.size).toBe(1 + 2 + 2 + 3 + 3 + 3);
  });

  it('is a distribution after every history', () => {
    const letter = fc.integer({ min: 0, max: 3 });
    fc.assert(
      fc.property(
        fc.array(letter, { minLength: 1, maxLength: 60 }),
        fc.array(letter, { maxLength: 8 }),
        (text, history) => {
          const model = new NgramModel(text, { order: 4, vocabSize: 4 });
          const distribution = model.distribution(history);
          expect(distribution.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
          for (let token = 0; token < 4; token++) {
            const probability = model.probabilities([...history, token], history.length)[3]!;
            expect(distribution[token]).toBeCloseTo(probability, 14);
          }
        },
      ),
    );
  });

  it('refuses what does not fit', () => {
    expect(() => new NgramModel([0], { order: 0, vocabSize: 1 })).toThrow('from 1');
    expect(() => new NgramModel([2], { vocabSize: 2 })).toThrow('token 2');
  });
});

describe('ngramFloors', () => {
  it('gives the rows of a report', () => {
    const corpus = generateStories({ characters: 60_000 });
    const { train, validation } = splitCorpus(corpus, 0.1);
    const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
    const [trainIds, validationIds] = [train, validation].map((part) => tokenizer.encode(corpusText(part)));
    const floors = ngramFloors(trainIds!, validationIds!, { vocabSize: tokenizer.vocabSize });
    expect(floors.map(({ name }) => name)).toEqual([
      'unigram',
      '2-gram',
      '3-gram',
      '4-gram',
      '5-gram',
      '6-gram',
      '7-gram',
    ]);
    // Spot values, measured once: a change of the formula or of the stories would move them.
    expect(floors.map(({ loss }) => Number(loss.toFixed(3)))).toEqual([
      3.041, 2.041, 1.015, 0.535, 0.436, 0.407, 0.389,
    ]);
    for (const { loss, bits } of floors) expect(bits).toBeCloseTo(loss / Math.LN2, 12);
  });
});
