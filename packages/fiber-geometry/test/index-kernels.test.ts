import { Rng } from '@palimpsest/tensor-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FlatIndex, HnswIndex } from '../src/index.js';
import { HnswGraph } from '../src/indexes/hnsw-graph.js';
import { checkedVector, dotRow, type SearchHit } from '../src/indexes/vector-index.js';

/** The k nearest by a plain loop over exact cosines. */
function plainly(rows: ReadonlyMap<number, Float32Array>, query: ArrayLike<number>, k: number): SearchHit[] {
  const q = checkedVector(query, query.length, 'The query');
  return [...rows]
    .map(([id, row]) => ({ id, cosine: dotRow(row, 0, q, query.length) }))
    .sort((a, b) => b.cosine - a.cosine || a.id - b.id)
    .slice(0, k);
}

describe('the flat scan by vector instructions', () => {
  it.each([1, 3, 16, 30, 130, 384])('gives what a plain loop gives, bit for bit, in %i dimensions', (d) => {
    const rng = Rng.fromSeed(d);
    // So many that rows lie in the memory of the kernels, and that it grows once more.
    const count = Math.ceil(70_000 / d) + 5;
    const [index, rows] = [new FlatIndex(d), new Map<number, Float32Array>()];
    for (let id = 0; id < count; id++) {
      // Every third vector is as good as another one, every seventh is one that was there.
      const other = id % 7 === 6 ? rows.get(id - 3)! : undefined;
      const scale = id % 3 === 0 ? 1e-7 : 1;
      const near = id % 3 === 0 ? (rows.get(id - 1) ?? new Float32Array(d)) : new Float32Array(d);
      const vector = other ?? near.map((value) => value + scale * rng.normal());
      index.insert(id, vector);
      rows.set(id, new Float32Array(checkedVector(vector, d, 'The vector')));
    }
    for (let id = 0; id < count; id += 11) {
      index.remove(id);
      rows.delete(id);
    }
    for (const k of [1, 10, 200]) {
      for (let i = 0; i < 5; i++) {
        const query = i === 0 ? [...rows.values()][7]! : Float32Array.from({ length: d }, () => rng.normal());
        expect(index.search(query, k)).toEqual(plainly(rows, query, k));
      }
    }
  });
});

describe('the graph', () => {
  const rowsOf = (d: number, count: number) => {
    const rng = Rng.fromSeed(d);
    return Array.from({ length: count }, () => Float32Array.from({ length: d }, () => rng.normal()));
  };

  it.each([
    [2, 2],
    [3, 3],
    [16, 5],
    [30, 16],
    [130, 7],
  ])(
    'puts all in their order when as many candidates are asked for, in %i dimensions with degree %i',
    (d, degree) => {
      const rows = rowsOf(d, 700);
      const index = new HnswIndex(d, { degree, efConstruction: 20 });
      rows.forEach((row, id) => {
        index.insert(id, row);
      });
      const unit = new Map(rows.map((row, id) => [id, new Float32Array(checkedVector(row, d, 'It'))]));
      for (const query of rowsOf(d + 1, 4).map((row) => row.slice(1))) {
        for (const k of [1, 5, 30, 700]) expect(index.search(query, k, 700)).toEqual(plainly(unit, query, k));
      }
      expect(index.verify(rows.keys())).toEqual([]);
    },
  );

  it('is the same for the same insertions', () => {
    const linked = () => {
      const graph = new HnswGraph(12, 6);
      rowsOf(12, 500).forEach((row, i) => {
        graph.add(row, Math.clz32(i) % 4, 40);
      });
      return Array.from({ length: 500 }, (_, slot) => [...graph.neighbours(slot, 0)]);
    };
    expect(linked()).toEqual(linked());
  });
});

describe('without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it('a graph is refused in one sentence, flat and auto answer by plain loops', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    vi.resetModules();
    const { createIndex } = await import('../src/indexes/create-index.js');
    expect(() => createIndex('hnsw', 4)).toThrow(
      'A graph index needs WebAssembly with 128-bit vectors, which is missing or forbidden here',
    );
    const rng = Rng.fromSeed(1);
    const rows = Array.from({ length: 5000 }, () => Float32Array.from({ length: 4 }, () => rng.normal()));
    const [flat, auto] = [createIndex('flat', 4), createIndex('auto', 4, { flatFloats: 100 })];
    rows.forEach((row, id) => {
      flat.insert(id, row);
      auto.insert(id, row);
    });
    expect(auto).toMatchObject({ current: 'flat' });
    const unit = new Map(rows.map((row, id) => [id, new Float32Array(checkedVector(row, 4, 'It'))]));
    for (const index of [flat, auto]) expect(index.search(rows[9]!, 5)).toEqual(plainly(unit, rows[9]!, 5));
  });

  it('flat scans go on where there are no addresses for another memory', async () => {
    class Full {
      constructor() {
        throw new RangeError('WebAssembly.Instance(): Out of memory');
      }
    }
    const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: object };
    vi.stubGlobal('WebAssembly', Object.create(wasm, { Instance: { value: Full } }));
    vi.resetModules();
    const { createIndex } = await import('../src/indexes/create-index.js');
    const rng = Rng.fromSeed(2);
    const rows = Array.from({ length: 5000 }, () => Float32Array.from({ length: 4 }, () => rng.normal()));
    const index = createIndex('flat', 4);
    for (const [id, row] of rows.entries()) index.insert(id, row);
    const unit = new Map(rows.map((row, id) => [id, new Float32Array(checkedVector(row, 4, 'It'))]));
    expect(index.search(rows[9]!, 5)).toEqual(plainly(unit, rows[9]!, 5));
  });
});
