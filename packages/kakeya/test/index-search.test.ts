import { describe, expect, it } from 'vitest';
import { CompressedIndex, KakeyaSet, Random, rowOf } from '../src/index.js';
import { lowRank } from './vectors.js';

const rows = lowRank(1000, 48, 10, 0.3, 1);

function indexed(config: object): { set: KakeyaSet; index: CompressedIndex; decoded: Float32Array[] } {
  const set = new KakeyaSet(0, 'ctx', ['f'], config);
  set.build(rows, new Random(1).normals(48));
  const index = new CompressedIndex(set);
  const records = set.encodeBatch(rows);
  records.forEach((record, i) => {
    index.add(i, record);
  });
  return { set, index, decoded: records.map((record) => set.decode(record)) };
}

function ranked(decoded: readonly Float32Array[], query: Float64Array, metric: 'dot' | 'cosine') {
  const scores = decoded.map((v, id) => {
    const dot = v.reduce((sum, x, j) => sum + x * query[j]!, 0);
    return { id, score: metric === 'dot' ? dot : dot / (Math.hypot(...v) * Math.hypot(...query)) };
  });
  return scores.sort((a, b) => b.score - a.score || a.id - b.id);
}

describe('search without decoding', () => {
  it.each([
    ['sparse, field scaling', { coder: 'sparse' }],
    ['sparse, reference skeleton', { coder: 'sparse', fieldScaling: 'none', skeletonDtype: 'f32' }],
    ['trellis', { bytesPerVec: 12 }],
    ['scalar', { quantiser: 'scalar', bytesPerVec: 12 }],
    ['pca-int8', { coder: 'pca-int8', bytesPerVec: 12 }],
    ['pq', { coder: 'pq', bytesPerVec: 12 }],
  ])('gives the ranking of decode-then-rank on 1,000 rows, both metrics (%s)', (_, config) => {
    const { index, decoded } = indexed(config);
    for (const metric of ['dot', 'cosine'] as const) {
      for (let q = 0; q < 5; q++) {
        const query = new Random(100 + q).normals(48);
        const expected = ranked(decoded, query, metric).slice(0, 10);
        const hits = index.search(query, 10, { metric });
        hits.forEach(({ id, score }, place) => {
          expect(Math.abs(score - expected[place]!.score)).toBeLessThanOrEqual(
            1e-5 * Math.max(1, Math.abs(score)),
          );
          // Equal codes score equally, so only the score decides which of them stands where.
          const own = ranked([decoded[id]!], query, metric)[0]!.score;
          expect(Math.abs(score - own)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(score)));
        });
        expect(new Set(hits.map(({ id }) => id)).size).toBe(10);
      }
    }
  });

  it('follows additions, replacements and removals', () => {
    const { set, index } = indexed({ coder: 'sparse' });
    const query = Float64Array.from(rowOf(rows, 17));
    expect(index.search(query, 1, { metric: 'cosine' })[0]!.id).toBe(17);
    expect(index.remove(17)).toBe(true);
    expect(index.remove(17)).toBe(false);
    expect(index.size).toBe(999);
    expect(index.search(query, 5).some(({ id }) => id === 17)).toBe(false);
    index.add(3, set.encode(query));
    expect(index.size).toBe(999);
    expect(index.search(query, 1, { metric: 'cosine' })[0]!.id).toBe(3);
    for (let i = 0; i < 1000; i++) index.remove(i);
    expect(index.size).toBe(0);
    expect(index.search(query, 3)).toEqual([]);
    index.add(8, set.encode(query));
    expect(index.search(query, 3)).toHaveLength(1);
  });

  it('scores a zero vector 0 by cosine and refuses bad queries and foreign records', () => {
    const { set, index } = indexed({ coder: 'sparse' });
    expect(() => index.search(new Float64Array(47), 3)).toThrow(/47 numbers where 48/);
    expect(() => index.search(new Float64Array(48).fill(Number.NaN), 3)).toThrow(/NaN/);
    expect(() => index.search(new Float64Array(48), 0)).toThrow(/at least 1/);
    expect(index.search(new Float64Array(48), 1, { metric: 'cosine' })[0]!.score).toBe(0);
    const record = set.encode(rowOf(rows, 0));
    expect(() => index.add(5000, { ...record, epoch: 9 })).toThrow(/build 9/);
    expect(() => index.add(5000, { ...record, segId: 99 } as typeof record)).toThrow(/segment 99/);
    expect(index.size).toBe(1000);
    expect(() => new CompressedIndex(new KakeyaSet(0, 'ctx', ['f']))).toThrow(/built set/);
  });
});
