import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchesOf,
  ChunkedDocument,
  ChunkedSequences,
  countBatches,
  fillerRuns,
  needleChance,
  needleSamples,
  needleVocabulary,
  parseNeedles,
} from '../src/index.js';

const range = (length: number) => Int32Array.from({ length }, (_, index) => index);

describe('chunked sequences', () => {
  it('have the published numbers of examples and batches', () => {
    const characters = new ChunkedSequences(new Int32Array(1_115_394), { chunkSize: 256, overlapRatio: 0.5 });
    expect(characters.length).toBe(8_713);
    expect(countBatches(characters, 32)).toBe(273);
    const pieces = new ChunkedSequences(new Int32Array(338_025), { chunkSize: 128 });
    expect(pieces.length).toBe(5_280);
    expect(countBatches(pieces, 8)).toBe(660);
  });

  it('predict the tokens shifted by one, for every size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 0.95, noNaN: true }),
        (size, chunkSize, overlapRatio) => {
          const dataset = new ChunkedSequences(range(size), { chunkSize, overlapRatio });
          expect(dataset.length).toBe(size > chunkSize ? Math.ceil((size - chunkSize) / dataset.stride) : 0);
          for (let index = 0; index < dataset.length; index++) {
            const { x, y } = dataset.at(index);
            expect(x.length).toBe(chunkSize);
            expect(x[0]).toBe(index * dataset.stride);
            expect([...y]).toEqual([...x].map((token) => token + 1));
          }
        },
      ),
    );
  });

  it('move on by at least one token, or refuse to as the reference does', () => {
    const options = { chunkSize: 10, overlapRatio: 0.9 } as const;
    expect(new ChunkedSequences(range(50), options).stride).toBe(1);
    expect(() => new ChunkedSequences(range(50), { ...options, stride: 'truncate' })).toThrow(
      'do not move on',
    );
    expect(() => new ChunkedSequences(range(50), { overlapRatio: 1 })).toThrow('overlap of 1');
    expect(() => new ChunkedSequences(range(50), { chunkSize: 0 })).toThrow('chunk size of 0');
    expect(() => new ChunkedSequences(range(50), { chunkSize: 10 }).at(99)).toThrow('Example 99');
  });
});

describe('chunked documents', () => {
  it('lose the first token of every chunk as a target', () => {
    const dataset = new ChunkedDocument(range(11), 4);
    expect(dataset.length).toBe(2);
    expect(dataset.at(1)).toEqual({ x: Int32Array.of(4, 5, 6), y: Int32Array.of(5, 6, 7) });
    expect(() => new ChunkedDocument(range(11), 1)).toThrow('at least 2 tokens');
  });
});

describe('batches', () => {
  const dataset = new ChunkedSequences(range(28), { chunkSize: 4, overlapRatio: 0 });

  it('keep the order, and end with a smaller one', () => {
    const batches = [...batchesOf(dataset, { batchSize: 4 })];
    expect(batches.map(({ x }) => x.shape)).toEqual([
      [4, 4],
      [2, 4],
    ]);
    expect([...batches[1]!.y.data]).toEqual([17, 18, 19, 20, 21, 22, 23, 24]);
  });

  it('shuffle by a seed and lose nothing', () => {
    const firsts = (shuffleSeed: number) =>
      [...batchesOf(dataset, { batchSize: 4, shuffleSeed })].flatMap(({ x }) =>
        [...x.data].filter((_, index) => index % 4 === 0),
      );
    expect(firsts(1)).toEqual(firsts(1));
    expect(firsts(1)).not.toEqual(firsts(2));
    expect([...firsts(1)].sort((a, b) => a - b)).toEqual([0, 4, 8, 12, 16, 20]);
    expect(() => [...batchesOf(dataset, { batchSize: 0 })]).toThrow('at least one example');
  });
});

describe('needles', () => {
  it('lie in runs of filler of nearly equal length', () => {
    expect(fillerRuns(60, 3)).toEqual([11, 11, 12, 12]);
    expect(fillerRuns(97, 5)).toEqual([12, 12, 12, 13, 13, 13]);
    expect(() => fillerRuns(13, 3)).toThrow('at least 14 tokens');
    expect(() => needleVocabulary(14, 5)).toThrow('15 ids or more');
  });

  it('are laid out so that they can be read back, all fillers in their range', () => {
    const options = { numSamples: 50, vocabSize: 50, haystackLength: 60, numNeedles: 3, seed: 7 };
    const vocabulary = needleVocabulary(50, 3);
    const samples = needleSamples(options);
    for (const { input, ...rest } of samples) {
      expect(input.length).toBe(60);
      expect(parseNeedles(vocabulary, input)).toEqual(rest);
      const fillers = input.filter((id) => id <= vocabulary.lastFiller);
      expect(fillers.length).toBe(46);
      expect(Math.min(...fillers)).toBeGreaterThanOrEqual(1);
    }
    expect(needleSamples(options)).toEqual(samples);
    expect(needleChance(5)).toBe(20);
  });

  it('pair keys and values anew in every sample, unless the pairing is fixed', () => {
    const pairings = (fixedPairing: boolean) =>
      new Set(
        needleSamples({ numSamples: 40, vocabSize: 50, haystackLength: 30, numNeedles: 3, fixedPairing }).map(
          ({ pairs }) => [...pairs].sort((a, b) => a[0] - b[0]).join(' '),
        ),
      );
    expect([...pairings(true)]).toEqual(['41,44 42,45 43,46']);
    expect(pairings(false).size).toBe(6);
  });

  it('a haystack without a question is refused', () => {
    expect(() => parseNeedles(needleVocabulary(50, 3), [1, 2, 3])).toThrow('no haystack');
  });
});
