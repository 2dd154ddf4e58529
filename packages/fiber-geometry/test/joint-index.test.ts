import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { MemStore, type NewEntry } from '../src/index.js';

const sizes = { dTime: 4, dTopic: 8, dCtx: 6, dFTime: 1, dFTopic: 1, dFCtx: 1 };
const fusedWeights = { time: 0.2, topic: 1.5, ctx: 0.2 };

const unit = (rng: Rng, width: number) => {
  const values = Array.from({ length: width }, () => rng.normal());
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
};

const directionsOf = (rng: Rng) => ({ time: unit(rng, 4), topic: unit(rng, 8), ctx: unit(rng, 6) });

function entry(rng: Rng): NewEntry {
  const { time, topic, ctx } = directionsOf(rng);
  return {
    ...{ timeBase: time, timeFiber: [0], timeDirn: time },
    ...{ topicBase: topic, topicFiber: [0], topicDirn: topic },
    ...{ ctxBase: ctx, ctxFiber: [0], ctxDirn: ctx },
  };
}

type Weights = typeof fusedWeights;

/** The best by all sums. */
function best(store: MemStore, asked: ReturnType<typeof directionsOf>, weights: Weights, k: number) {
  return store
    .scoreFused(asked, weights, store.allMids())
    .sort((a, b) => b.score - a.score || a.id - b.id)
    .slice(0, k);
}

function filled(options: ConstructorParameters<typeof MemStore>[0], count: number): MemStore {
  const rng = Rng.fromSeed(7);
  const store = new MemStore({ ...sizes, ...options });
  for (let i = 0; i < count; i++) store.add(entry(rng));
  return store;
}

describe('an index over all bundles', () => {
  it('gives exactly what the sums of cosines give, through changes and a file', () => {
    const store = filled({ fusedWeights }, 400);
    const rng = Rng.fromSeed(8);
    for (const mid of [3, 40, 77]) store.remove(mid);
    store.update(5, { topicDirn: unit(rng, 8) });
    const again = MemStore.fromBytes(store.toBytes());
    const asked = directionsOf(rng);
    const otherwise = { time: 2, topic: 0.5, ctx: 0 };
    for (const weights of [fusedWeights, otherwise]) {
      const expected = best(store, asked, weights, 6);
      expect(store.searchFused(asked, weights, 6)).toEqual(expected);
      expect(again.searchFused(asked, weights, 6)).toEqual(expected);
    }
    // One bundle alone, by an index that is made now and kept in step.
    const alone = () => store.search('topic', asked.topic, 5).map(({ id }) => id);
    expect(alone()).toEqual(store.searchFused({ topic: asked.topic }, {}, 5).map(({ id }) => id));
    const first = alone()[0]!;
    store.remove(first);
    expect(alone()).not.toContain(first);
    expect(store.verifyConsistency()).toEqual([]);
  });

  it('finds in a graph what is best together and middling in every bundle', () => {
    const [joint, apart] = [
      filled({ fusedWeights, indexKind: 'hnsw' }, 3000),
      filled({ indexKind: 'hnsw' }, 3000),
    ];
    const rng = Rng.fromSeed(9);
    let [byJoint, byBundles] = [0, 0];
    const even = { time: 1, topic: 1, ctx: 1 };
    for (let i = 0; i < 20; i++) {
      const asked = directionsOf(rng);
      const expected = new Set(best(joint, asked, even, 4).map(({ id }) => id));
      const found = (store: MemStore) =>
        store.searchFused(asked, even, 4).filter(({ id }) => expected.has(id)).length;
      byJoint += found(joint);
      byBundles += found(apart);
    }
    expect(byJoint).toBeGreaterThan(0.97 * 80);
    expect(byJoint).toBeGreaterThan(byBundles);
  });

  it('looks at single bundles where none counts, and refuses weights that are not positive', () => {
    const store = filled({ fusedWeights }, 100);
    const asked = directionsOf(Rng.fromSeed(1));
    expect(store.searchFused(asked, { time: 0, topic: 0, ctx: 0 }, 2).map(({ score }) => score)).toEqual([
      0, 0,
    ]);
    expect(() => new MemStore({ ...sizes, fusedWeights: { time: 0, topic: 1, ctx: 1 } })).toThrow(
      /fusedWeights\.time/,
    );
  });
});
