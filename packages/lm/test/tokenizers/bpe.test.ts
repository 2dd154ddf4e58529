import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BpeTokenizer, restoreTokenizer } from '../../src/index.js';

const unicode = fc.string({ unit: 'binary', maxLength: 60 });

/** The definition, one pass over the list for each merge. */
function mergeNaively(ids: number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      result.push(merged);
      i += 1;
    } else result.push(ids[i]!);
  }
  return result;
}

function trainNaively(text: string, firstId: number, count: number): [number, number][] {
  let ids = [...new TextEncoder().encode(text)];
  const merges: [number, number][] = [];
  while (merges.length < count) {
    const counts = new Map<string, { pair: [number, number]; count: number }>();
    for (let i = 0; i + 1 < ids.length; i++) {
      const pair: [number, number] = [ids[i]!, ids[i + 1]!];
      const entry = counts.get(pair.join()) ?? { pair, count: 0 };
      entry.count += 1;
      counts.set(pair.join(), entry);
    }
    const [best] = [...counts.values()].sort(
      (a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1],
    );
    if (!best || best.count < 2) break;
    ids = mergeNaively(ids, ...best.pair, firstId + merges.length);
    merges.push(best.pair);
  }
  return merges;
}

describe('BpeTokenizer', () => {
  it('merges the most frequent pair, ties to the smaller ids, and stops when no pair occurs twice', () => {
    const [a, b, c, d] = [97, 98, 99, 100];
    const tokenizer = BpeTokenizer.train('abababcdcd', { vocabSize: 512 });
    // 'ab' 3 times; then (ab)(ab) twice and 'cd' twice, of which 'c' = 99 is smaller than 257; nothing occurs twice after.
    expect(tokenizer.merges).toEqual([
      [a, b],
      [c, d],
      [257, 257],
    ]);
    expect(tokenizer.vocabSize).toBe(260);
    expect([...tokenizer.encode('ababcdab')]).toEqual([259, 258, 257]);
  });

  it('equals the definition on random texts of few letters, where pairs overlap', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 120 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 }),
        (text, other) => {
          const tokenizer = BpeTokenizer.train(text, { vocabSize: 256 + 20, specialTokens: [] });
          const merges = trainNaively(text, 256, 20);
          expect(tokenizer.merges).toEqual(merges);
          let ids = [...new TextEncoder().encode(other)];
          merges.forEach(([left, right], rank) => {
            ids = mergeNaively(ids, left, right, 256 + rank);
          });
          expect([...tokenizer.encode(other)]).toEqual(ids);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('undoes its encoding on every Unicode string, at once and piece by piece', () => {
    const tokenizer = BpeTokenizer.train('naïve café 😀😀 <|end|> naïve café 😀😀', { vocabSize: 300 });
    fc.assert(
      fc.property(fc.oneof(unicode, fc.constantFrom('<|end|>', 'naïve 😀', '\ufeffx')), (text) => {
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        const decoder = tokenizer.streamingDecoder();
        expect([...ids].map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(text);
      }),
    );
  });

  it('keeps special tokens out of texts and out of merges', () => {
    const tokenizer = BpeTokenizer.train('xyxyxyxy', { specialTokens: ['<|pad|>', '<|end|>'] });
    expect(tokenizer.endId).toBe(257);
    expect(tokenizer.startId).toBe(257);
    expect(tokenizer.decode([257, 120, 256])).toBe('x');
    expect(tokenizer.merges[0]).toEqual([120, 121]);
  });

  it('is deterministic, stored and restored', () => {
    const text = 'the cat sat on the mat, the rat sat on the hat';
    const first = BpeTokenizer.train(text, { vocabSize: 280 });
    expect(JSON.stringify(BpeTokenizer.train(text, { vocabSize: 280 }))).toBe(JSON.stringify(first));
    const restored = restoreTokenizer(JSON.parse(JSON.stringify(first)));
    expect([...restored.encode('the hat')]).toEqual([...first.encode('the hat')]);
    expect(restored.vocabSize).toBe(268);
    expect(first.encode(text).length).toBeLessThan(text.length / 2);
  });

  it('merges nothing across two texts', () => {
    expect(BpeTokenizer.train(['ab', 'ba', 'ab'], { specialTokens: [] }).merges).toEqual([[97, 98]]);
  });

  it('refuses impossible sizes and merges', () => {
    expect(() => BpeTokenizer.train('abc', { vocabSize: 100 })).toThrow('from 257');
    expect(() => new BpeTokenizer([[1, 300]])).toThrow('Merge 0 joins the ids 1 and 300');
    expect(() => new BpeTokenizer([]).decode([257])).toThrow('257');
  });
});
