import { describe, expect, it } from 'vitest';
import { CountSketch, circularConvolve, compactTable, createTable, sumBucketPlan } from '../src/index.js';
import { normals, relativeError } from './support/statistics.js';

/** B.5: d, m, used buckets, colliding pairs, live sums, largest load in unordered pairs. */
const tables = [
  [64, 2048, 63, 1, 1324, 5],
  [64, 1024, 61, 3, 883, 8],
  [128, 4096, 127, 1, 3555, 8],
  [128, 1024, 120, 9, 1024, 15],
  [256, 8192, 253, 3, 8064, 12],
  [512, 8192, 485, 28, 8192, 28],
] as const;

describe.each(tables)(
  'd = %i, m = %i, seed 42 (B.5, property 19)',
  (dim, sketchDim, used, pairs, live, load) => {
    const table = createTable({ dim, sketchDim, seed: 42 });
    const plan = sumBucketPlan(table);

    it('has the stated buckets and loads', () => {
      const { index } = table;
      let colliding = 0;
      for (let i = 0; i < dim; i++) for (let j = 0; j < i; j++) if (index[i] === index[j]) colliding += 1;
      const unordered = new Int32Array(live);
      for (let a = 0; a < used; a++) {
        for (let b = a; b < used; b++) {
          const place = plan.pairToLive[a * used + b]!;
          unordered[place] = unordered[place]! + 1;
        }
      }
      expect([compactTable(table).used.length, colliding, plan.live.length, Math.max(...unordered)]).toEqual([
        used,
        pairs,
        live,
        load,
      ]);
    });

    it('covers every non-zero of a convolution', () => {
      const sketch = new CountSketch(table);
      const product = circularConvolve(sketch.apply(normals(dim, 1)), sketch.apply(normals(dim, 2)), {
        method: 'direct',
      });
      const alive = new Set(plan.live);
      expect([...product.keys()].filter((bucket) => !alive.has(bucket) && product[bucket] !== 0)).toEqual([]);
    });
  },
);

describe.each([
  [9, 9, 16],
  [5, 12, 31],
  [20, 3, 7],
  [4, 6, 1],
  [128, 128, 4096],
])('tables of %i and %i inputs, m = %i', (dimA, dimB, sketchDim) => {
  const [a, b] = [
    createTable({ dim: dimA, sketchDim, seed: 1 }),
    createTable({ dim: dimB, sketchDim, seed: 2 }),
  ];
  const plan = sumBucketPlan(a, b);
  const [usedA, usedB] = [compactTable(a).used, compactTable(b).used];

  it('every pair leads to the bucket of its sum', () => {
    expect(plan.pairToLive).toHaveLength(usedA.length * usedB.length);
    for (const [pair, place] of plan.pairToLive.entries()) {
      const sum = usedA[Math.floor(pair / usedB.length)]! + usedB[pair % usedB.length]!;
      expect(plan.live[place]).toBe(sum % sketchDim);
    }
    expect([...plan.live]).toEqual([...new Set(plan.live)].sort((x, y) => x - y));
  });

  it('groups hold every pair once, bucket after bucket in ascending order', () => {
    const all = plan.groups.flatMap(({ pairs }) => [...pairs]);
    expect(all.sort((x, y) => x - y)).toEqual([...plan.pairToLive.keys()]);
    const loads = plan.groups.map(({ load }) => load);
    expect(loads).toEqual([...new Set(loads)].sort((x, y) => x - y));
    for (const { load, pairs } of plan.groups) {
      const places = [...pairs].map((pair) => plan.pairToLive[pair]!);
      expect(places).toEqual([...places].sort((x, y) => x - y));
      const counts = new Map<number, number>();
      for (const place of places) counts.set(place, (counts.get(place) ?? 0) + 1);
      expect([...new Set(counts.values())]).toEqual([load]);
    }
  });

  it('gather, reshape and sum over the groups is the convolution of the sketches', () => {
    const [sketchA, sketchB] = [new CountSketch(a), new CountSketch(b)];
    const [x, y] = [sketchA.apply(normals(dimA, 3)), sketchB.apply(normals(dimB, 4))];
    const result = new Float64Array(sketchDim);
    for (const { load, pairs } of plan.groups) {
      for (let from = 0; from < pairs.length; from += load) {
        let sum = 0;
        for (const pair of pairs.subarray(from, from + load)) {
          sum += x[usedA[Math.floor(pair / usedB.length)]!]! * y[usedB[pair % usedB.length]!]!;
        }
        result[plan.live[plan.pairToLive[pairs[from]!]!]!] = sum;
      }
    }
    expect(relativeError(result, circularConvolve(x, y))).toBeLessThan(1e-10);
  });
});
