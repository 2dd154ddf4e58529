import { Rng } from '@palimpsest/tensor-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AutoIndex,
  benchmarkIndex,
  ConeTree,
  createIndex,
  DirectionTree,
  FlatIndex,
  HnswIndex,
  type IndexKind,
  type SearchHit,
} from '../src/index.js';
import { HnswGraph } from '../src/indexes/hnsw-graph.js';

const kinds: IndexKind[] = ['flat', 'tree', 'cone', 'hnsw', 'auto'];
const D = 6;

/** A pool of directions with duplicates and opposite pairs, so that ties and empty differences occur. */
function pool(rng: Rng, size: number, d = D): Float32Array[] {
  const vectors = Array.from({ length: size }, () => Float32Array.from({ length: d }, () => rng.normal()));
  return vectors.map((vector, i) => {
    if (i % 7 === 3) return vectors[i - 1]!;
    return i % 11 === 5 ? vectors[i - 1]!.map((value) => -value) : vector;
  });
}

/** Exact search written down plainly: the yardstick of the flat scan itself. */
function bruteForce(entries: ReadonlyMap<number, Float32Array>, query: Float32Array, k: number): SearchHit[] {
  const norm = (v: Float32Array) => Math.hypot(...v);
  return [...entries]
    .map(([id, v]) => ({ id, cosine: v.reduce((s, a, i) => s + a * query[i]!, 0) / norm(v) / norm(query) }))
    .sort((a, b) => b.cosine - a.cosine || a.id - b.id)
    .slice(0, k);
}

describe.each(kinds)('%s index', (kind) => {
  it('agrees with the flat scan over 10,000 random operations', () => {
    const rng = Rng.fromSeed(41);
    const vectors = pool(rng, 400);
    const index = createIndex(kind, D, { flatFloats: 150 * D, beam: 8 });
    const exact = new FlatIndex(D);
    const inside = new Map<number, Float32Array>();
    let recalled = 0;
    let wanted = 0;
    for (let step = 0; step < 10_000; step++) {
      const id = rng.int(500);
      const vector = vectors[rng.int(vectors.length)]!;
      const action = rng.uniform();
      if (action < 0.5) {
        index.insert(id, vector);
        exact.insert(id, vector);
        inside.set(id, vector);
      } else if (action < 0.8) {
        expect(index.remove(id)).toBe(inside.delete(id));
        exact.remove(id);
      } else if (inside.has(id)) {
        index.update(id, vector);
        exact.update(id, vector);
        inside.set(id, vector);
      } else {
        expect(() => index.update(id, vector)).toThrow(/no id/);
      }
      if (step % 50 !== 0) continue;
      expect(index.size).toBe(inside.size);
      expect(index.verify(inside.keys())).toEqual([]);
      if (inside.size === 0) continue;
      const query = vectors[rng.int(vectors.length)]!;
      const truth = exact.search(query, 8);
      const hits = index.search(query, 8);
      for (const { id: found, cosine } of hits) {
        expect(Math.abs(cosine - exact.cosines(query, [found]).get(found)!)).toBeLessThan(1e-6);
      }
      expect(hits).toEqual([...hits].sort((a, b) => b.cosine - a.cosine || a.id - b.id));
      const floor = truth.at(-1)!.cosine - 1e-6;
      recalled += hits.filter(({ cosine }) => cosine >= floor).length;
      wanted += truth.length;
      if (kind === 'flat' || kind === 'cone') {
        expect(hits).toEqual(truth);
        bruteForce(inside, query, 8).forEach(({ cosine }, i) => {
          expect(Math.abs(cosine - hits[i]!.cosine)).toBeLessThan(1e-6);
        });
      }
    }
    expect(recalled / wanted).toBeGreaterThanOrEqual(kind === 'tree' ? 0.7 : 0.99);
  });

  it('ends up empty, and takes and finds again what it lost', () => {
    const index = createIndex(kind, D);
    const vectors = pool(Rng.fromSeed(2), 120);
    vectors.forEach((vector, id) => {
      index.insert(id, vector);
    });
    vectors.forEach((_, id) => {
      expect(index.remove(id)).toBe(true);
    });
    expect(index.remove(3)).toBe(false);
    expect([index.size, index.search(vectors[0]!, 3)]).toEqual([0, []]);
    index.insert(7, vectors[7]!);
    expect(index.search(vectors[7]!, 3)[0]).toEqual({ id: 7, cosine: expect.closeTo(1, 6) });
  });

  it('keeps 2,000 equal vectors, in rising order of ids', () => {
    const index = createIndex(kind, D);
    const same = Float32Array.from([1, 2, 3, 4, 5, 6]);
    for (let id = 0; id < 2000; id++) index.insert(id, same);
    index.insert(
      2000,
      same.map((value) => -value),
    );
    expect(index.verify(Array.from({ length: 2001 }, (_, id) => id))).toEqual([]);
    const hits = index.search(same, 5);
    for (const { cosine } of hits) expect(cosine).toBeCloseTo(1, 6);
    // The tree promises neither the lowest of equal ids nor an opposite that shares its leaf with equal vectors.
    if (kind === 'tree') return;
    expect(hits.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4]);
    expect(
      index.search(
        same.map((value) => -value),
        1,
      )[0]!.id,
    ).toBe(2000);
  });

  it('inserting twice is inserting once; inserting another vector replaces the first', () => {
    const index = createIndex(kind, 4);
    index.insert(1, [1, 0, 0, 0]);
    index.insert(1, [1, 0, 0, 0]);
    expect([index.size, index.verify([1])]).toEqual([1, []]);
    index.insert(1, [0, 2, 0, 0]);
    expect(index.search([0, 5, 0, 0], 4)).toEqual([{ id: 1, cosine: 1 }]);
  });

  it('refuses bad input with a clear sentence and stays as it was', () => {
    const index = createIndex(kind, 4);
    index.insert(1, [1, 0, 0, 0]);
    const bad: [unknown, RegExp][] = [
      [[1, 2, 3], /must have 4 numbers, but has 3/],
      [[1, Number.NaN, 0, 0], /NaN at position 1/],
      [[1, 0, Number.POSITIVE_INFINITY, 0], /Infinity at position 2/],
      [[0, 0, 0, 0], /zero vector/],
    ];
    for (const [vector, message] of bad) {
      for (const id of [1, 2]) expect(() => index.insert(id, vector as number[])).toThrow(message);
      expect(() => index.search(vector as number[], 1)).toThrow(message);
    }
    expect(() => index.insert(-1, [1, 0, 0, 0])).toThrow(/non-negative integer/);
    expect(() => index.insert(1.5, [1, 0, 0, 0])).toThrow(/non-negative integer/);
    expect(() => index.search([1, 0, 0, 0], 0)).toThrow(/at least 1/);
    expect([index.size, index.verify([1])]).toEqual([1, []]);
    expect(index.verify([1, 2])).toHaveLength(1);
    expect(index.verify([])).toHaveLength(1);
    expect(index.search([1e-300, 0, 0, 0], 1)).toEqual([{ id: 1, cosine: 1 }]);
  });
});

describe('exact search', () => {
  it('of the cone tree equals the flat scan for any vectors, built at once or one by one', () => {
    const coordinate = fc.double({ min: -1, max: 1, noNaN: true }).map((x) => Math.round(x * 4) / 4);
    const vector = fc.array(coordinate, { minLength: 3, maxLength: 3 }).filter((v) => v.some((x) => x !== 0));
    fc.assert(
      fc.property(
        fc.array(vector, { minLength: 1, maxLength: 120 }),
        vector,
        fc.integer({ min: 1, max: 9 }),
        (list, q, k) => {
          const flat = new FlatIndex(3);
          const cone = new ConeTree(3, { maxLeaf: 4, fanOut: 3 });
          list.forEach((v, id) => {
            flat.insert(id, v);
            cone.insert(id, v);
          });
          const built = ConeTree.build(
            3,
            list.map((v, id) => [id, v] as const),
            { maxLeaf: 4, fanOut: 3 },
          );
          expect(cone.search(q, k)).toEqual(flat.search(q, k));
          expect(built.search(q, k)).toEqual(flat.search(q, k));
          expect(built.verify(list.keys())).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('of the cone tree opens few leaves on clustered directions', () => {
    const rng = Rng.fromSeed(3);
    const centers = pool(rng, 30, 16);
    const draw = () => centers[rng.int(30)]!.map((value) => value + 0.2 * rng.normal());
    const cone = ConeTree.build(
      16,
      Array.from({ length: 5000 }, (_, id) => [id, draw()] as const),
    );
    cone.search(draw(), 8);
    expect(cone.lastScored).toBeLessThan(1500);
  });
});

describe('approximate search', () => {
  it.each([1000, 10_000])('auto finds at least 95 %% of the 8 nearest of %i', (n) => {
    expect(benchmarkIndex(n, 16, 8, { kind: 'auto', queries: 50 }).recall).toBeGreaterThanOrEqual(0.95);
    expect(benchmarkIndex(n, 16, 8, { kind: 'hnsw', queries: 50 }).recall).toBeGreaterThanOrEqual(0.99);
  });

  it('cosine scoring of the tree finds more than the accumulated scores of the original', () => {
    const common = { queries: 100, clusters: 20, kind: 'tree' } as const;
    const cosine = benchmarkIndex(2000, 16, 8, { ...common, scoring: 'cosine' }).recall;
    const accumulated = benchmarkIndex(2000, 16, 8, { ...common, scoring: 'accumulated' }).recall;
    expect(cosine).toBeGreaterThan(accumulated);
  });

  it('auto changes over to the graph and back without a change of results', () => {
    const rng = Rng.fromSeed(5);
    const vectors = Array.from({ length: 900 }, () => Float32Array.from({ length: 8 }, () => rng.normal()));
    const index = new AutoIndex(8, { flatFloats: 400 * 8 });
    const exact = new FlatIndex(8);
    const seen = new Set<string>();
    const check = () => {
      seen.add(index.current);
      const query = vectors[rng.int(900)]!;
      expect(index.search(query, 3).map(({ id }) => id)).toEqual(exact.search(query, 3).map(({ id }) => id));
    };
    vectors.forEach((vector, id) => {
      index.insert(id, vector);
      exact.insert(id, vector);
      if (id % 20 === 0) check();
    });
    expect(index.current).toBe('hnsw');
    for (let id = 0; id < 850; id++) {
      index.remove(id);
      exact.remove(id);
      if (id % 20 === 0) check();
    }
    expect([index.current, [...seen].sort()]).toEqual(['flat', ['flat', 'hnsw']]);
    expect(index.verify(Array.from({ length: 50 }, (_, i) => 850 + i))).toEqual([]);
  });

  it.each([
    [16, 0.01],
    [16, 0.001],
    [32, 0.02],
  ])('the graph finds entries that come topic by topic, in %i dimensions with spread %f', (d, spread) => {
    const rng = Rng.fromSeed(21);
    const [index, exact] = [new HnswIndex(d), new FlatIndex(d)];
    const rows: Float64Array[] = [];
    for (let topic = 0; topic < 40; topic++) {
      const center = Float64Array.from({ length: d }, () => rng.normal());
      const length = Math.hypot(...center);
      for (let i = 0; i < 80; i++) {
        const row = center.map((x) => x / length + spread * rng.normal());
        index.insert(rows.length, row);
        exact.insert(rows.length, row);
        rows.push(row);
      }
    }
    let [own, found, asked] = [0, 0, 0];
    for (let id = 0; id < rows.length; id += 3) {
      const hits = index.search(rows[id]!, 10);
      const worst = exact.search(rows[id]!, 10)[9]!.cosine - 1e-7;
      asked += 1;
      if (hits.some((hit) => hit.id === id)) own += 1;
      found += hits.filter(({ cosine }) => cosine >= worst).length / 10;
    }
    expect(own / asked).toBeGreaterThanOrEqual(0.999);
    expect(found / asked).toBeGreaterThanOrEqual(0.98);
    expect(index.verify(rows.keys())).toEqual([]);
  });

  it('the graph says what no path leads to', () => {
    const graph = new HnswGraph(2, 2);
    for (const [x, y] of [
      [1, 0],
      [0, 1],
      [-1, 0],
    ] as const) {
      graph.add(Float32Array.of(x, y), 0, 10);
    }
    expect(graph.unreachable()).toEqual([]);
    for (const slot of [0, 1]) graph.neighbours(slot, 0).fill(slot);
    expect(graph.unreachable()).toContain(2);
  });

  it('the graph is built anew before a quarter of it is tombstones', () => {
    const index = new HnswIndex(D);
    const vectors = pool(Rng.fromSeed(6), 300);
    vectors.forEach((vector, id) => {
      index.insert(id, vector);
    });
    for (let id = 0; id < 250; id++) {
      index.remove(id);
      expect(index.tombstoneShare).toBeLessThanOrEqual(0.25);
    }
    expect(index.verify(Array.from({ length: 50 }, (_, i) => 250 + i))).toEqual([]);
  });
});

describe('direction tree', () => {
  it('reports its shape, and rebuilds in rising order of ids', () => {
    const tree = new DirectionTree(D, { treeMaxLeaf: 5, treeK: 3 });
    const vectors = pool(Rng.fromSeed(8), 200);
    vectors.forEach((vector, id) => {
      tree.insert(199 - id, vector);
    });
    tree.rebuild();
    const fresh = new DirectionTree(D, { treeMaxLeaf: 5, treeK: 3 });
    for (let id = 0; id < 200; id++) fresh.insert(id, vectors[199 - id]!);
    expect(tree.retrieve(vectors[0]!, 3)).toEqual(fresh.retrieve(vectors[0]!, 3));
    const stats = tree.stats();
    expect(stats.leafSizes.max).toBeLessThanOrEqual(5);
    expect(stats.leaves * stats.leafSizes.mean).toBeCloseTo(200, 9);
    expect(stats.depth).toBeGreaterThan(1);
  });

  it('describes itself with more leaves than a call takes arguments', { timeout: 120_000 }, () => {
    const tree = new DirectionTree(2, { treeMaxLeaf: 1, treeK: 2 });
    const leaves = 130_000;
    for (let id = 0; id < leaves; id++) {
      const angle = 2 * Math.PI * ((id * 0.6180339887498949) % 1);
      tree.insert(id, Float64Array.of(Math.cos(angle), Math.sin(angle)));
    }
    const { leaves: found, leafSizes, depth } = tree.stats();
    expect(found).toBeGreaterThan(126_000);
    expect(leafSizes.min).toBe(1);
    expect(depth).toBeGreaterThan(16);
  });

  it('sees leaves that hold one direction only', () => {
    const tree = new DirectionTree(4);
    for (let id = 0; id < 60; id++) tree.insert(id, [1, 0, 0, 0]);
    expect(tree.stats().degenerateLeaves).toBe(tree.stats().leaves);
    expect(tree.stats().leafSizes.max).toBeLessThanOrEqual(20);
  });

  it('refuses options out of range', () => {
    expect(() => new DirectionTree(4, { treeK: 1 })).toThrow(/treeK/);
    expect(() => new DirectionTree(4, { beam: 0 })).toThrow(/beam/);
    expect(() => createIndex('heap' as never, 4)).toThrow(/no index kind 'heap'/);
  });
});
