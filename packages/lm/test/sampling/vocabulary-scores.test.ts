import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { VocabularyScores } from '../../src/sampling/vocabulary-scores.js';

const rng = Rng.fromSeed(4);

describe.each([
  ['by kernels', true],
  ['without kernels', false],
])('scores of a vocabulary, %s', (_, byKernels) => {
  const room = new VocabularyScores(100_001, byKernels);
  const vocabularyScores = (scores: readonly number[]) => {
    room.load(scores);
    return room;
  };
  const shares = (scores: readonly number[], temperature = 1) => {
    const row = vocabularyScores(scores);
    const sum = row.share(temperature);
    return { sum, found: [...row.shares.subarray(0, scores.length)] };
  };

  it('have the shares of Math.exp to the last bits, at any size', () => {
    const scores = [0, ...Array.from({ length: 100_000 }, () => -(10 ** (5 * rng.uniform() - 2.2)))];
    let largest = 0;
    for (const [index, share] of shares(scores).found.entries()) {
      const expected = Math.exp(scores[index]!);
      if (expected < 1e-307) expect(share).toBeLessThan(1e-307);
      else largest = Math.max(largest, Math.abs(share / expected - 1));
    }
    expect(largest).toBeLessThan(5e-16);
  });

  it.each([
    ['ordinary ones', [1, -3, 0.5, 2]],
    ['banned ones', [1, -Infinity, 0.5, 2]],
    ['ones far below', [2, -1e9, -3.4e38, -706, 0.5]],
    ['ones as far below as whole numbers go', [0, -5_814_540, -11_629_080, -2]],
    ['near nothing', [0, -1e-300, -1e-17, -Math.LN2]],
    ['an infinite largest one', [1, Infinity, -Infinity, 2]],
  ])('have shares beside each other: %s', (_kind, scores) => {
    const largest = Math.max(...scores);
    for (const temperature of [1, 0.7, 30, Number.MIN_VALUE]) {
      const expected = scores.map((score) =>
        score === largest ? 1 : Math.exp((score - largest) / temperature),
      );
      const { sum, found } = shares(scores, temperature);
      for (const [index, share] of expected.entries()) {
        expect(Math.abs(found[index]! - share)).toBeLessThanOrEqual(5e-16 * share);
      }
      expect(sum).toBeCloseTo(
        expected.reduce((total, share) => total + share, 0),
        12,
      );
    }
  });

  it.each([1, 63, 64, 65, 1000])('are found where one by one they are, %d of them', (count) => {
    const scores = Array.from({ length: count }, () => 4 * rng.normal());
    const row = vocabularyScores(scores);
    expect(row.likeliest()).toBe(scores.indexOf(Math.max(...scores)));
    const sum = row.share(1);
    const order = scores.toSorted((a, b) => b - a);
    for (const wanted of [1, 2, 40, 500]) {
      const ids = row.largestIds(wanted);
      const least = Math.min(...ids.map((id) => scores[id]!));
      expect(ids.length).toBeGreaterThanOrEqual(Math.min(wanted, count));
      expect(least).toBeLessThanOrEqual(order[Math.min(wanted, count) - 1]!);
      expect(ids).toEqual([...scores.keys()].filter((id) => scores[id]! >= least));
    }
    for (let draw = 0; draw < 200; draw++) {
      const part = rng.uniform();
      let before = 0;
      const expected = scores.findIndex((_score, id) => {
        before += row.shares[id]! / sum;
        return part < before;
      });
      expect(row.idAt(part)).toBe(expected);
    }
    expect(row.idAt(1)).toBe(count - 1);
  });

  it('take the last token that can be drawn where sums end early', () => {
    const row = vocabularyScores([0, 1, 2, ...Array.from({ length: 300 }, () => -Infinity)]);
    row.share(1);
    expect(row.idAt(1)).toBe(2);
    expect(row.idAt(0)).toBe(0);
  });

  it('forget longer ones before', () => {
    vocabularyScores(Array.from({ length: 500 }, () => 9));
    const row = vocabularyScores([1, 2]);
    expect(row.likeliest()).toBe(1);
    expect(row.share(1)).toBeCloseTo(1 + Math.exp(-1), 14);
    expect(() => vocabularyScores([1, Number.NaN]).likeliest()).toThrow('token 1 is NaN');
    expect(() => vocabularyScores([-Infinity]).likeliest()).toThrow('banned or padded');
  });
});
