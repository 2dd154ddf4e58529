import {
  decodeSafetensors,
  encodeSafetensors,
  InputError,
  Rng,
  type SafeTensor,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { AutoIndex, MemStore, type NewEntry } from '../src/index.js';
import { checksum } from '../src/store/store-file.js';

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

describe('a graph in a file', () => {
  /** A store with a tombstone and two entries of one vector. */
  function changed(options: Parameters<typeof filled>[0]): MemStore {
    const store = filled({ indexKind: 'hnsw', ...options }, 600);
    for (const mid of [3, 40, 77, 78]) store.remove(mid);
    store.add({ ...store.get(50)! });
    return store;
  }

  it.each([[{ fusedWeights }], [{}]])('comes back as the one that it was, with %j', (options) => {
    const store = changed(options);
    const again = MemStore.fromBytes(store.toBytes());
    expect(again.verifyConsistency()).toEqual([]);
    const rng = Rng.fromSeed(10);
    for (const one of [store, again]) {
      const after = Rng.fromSeed(11);
      for (let i = 0; i < 50; i++) one.add(entry(after));
      one.remove(9);
    }
    for (let i = 0; i < 20; i++) {
      const asked = directionsOf(rng);
      expect(again.searchFused(asked, fusedWeights, 5)).toEqual(store.searchFused(asked, fusedWeights, 5));
    }
    // Byte for byte: what was linked after the file was read is linked alike.
    expect(Buffer.from(again.toBytes()).equals(Buffer.from(store.toBytes()))).toBe(true);
  });

  it('is that of an automatic index once it has one', () => {
    const rng = Rng.fromSeed(12);
    const entries = Array.from({ length: 300 }, (_, id) => [id, unit(rng, 8)] as const);
    const index = new AutoIndex(8, { flatFloats: 100 * 8 });
    expect(index.saved()).toBeUndefined();
    for (const [id, vector] of entries) index.insert(id, vector);
    const again = new AutoIndex(8, { flatFloats: 100 * 8 });
    again.restore(index.saved()!, entries);
    expect([again.current, again.size, again.verify(entries.keys())]).toEqual(['hnsw', 300, []]);
    const query = unit(rng, 8);
    expect(again.search(query, 9)).toEqual(index.search(query, 9));
  });

  type Change = (tensors: Record<string, SafeTensor>) => void;
  /** Sets a number of a part. */
  const put =
    (part: string, at: number, value: number): Change =>
    (tensors) => {
      (tensors[`index.joint.${part}`]!.data as Int32Array)[at] = value;
    };
  const replace =
    (part: string, dtype: SafeTensor['dtype'], data: SafeTensor['data']): Change =>
    (tensors) => {
      tensors[`index.joint.${part}`] = { dtype, shape: [data.length], data };
    };
  it.each<[string, Change, string]>([
    ['a part is missing', (tensors) => void delete tensors['index.joint.slots'], "slots' is missing"],
    ['a part has another type', replace('slots', 'F32', new Float32Array(1)), "slots' is of dtype F32"],
    ['a neighbour is nowhere', put('links', 2, 601), 'has the neighbour 601 in layer 0'],
    ['a neighbour is negative', put('links', 2, -1), 'has the neighbour -1 in layer 0'],
    ['a slot is its own neighbour', put('links', 2, 0), 'slot 0 has the neighbour 0'],
    ['a list is too long', put('links', 0, 33), 'slot 0 has 33 neighbours'],
    ['more is kept than there is', put('links', 1, 40), '40 of them kept'],
    ['the links are too few', replace('links', 'I32', new Int32Array(3)), 'of a graph are damaged'],
    ['a level is absurd', put('levels', 5, 255), 'up to layer 255'],
    ['an id has no slot', put('slots', 0, 9000), 'no slot for the id 0'],
    ['two ids share a slot', put('slots', 0, 1), 'one slot for the id 1 and one of another'],
    ['slots are too few', replace('slots', 'I32', new Int32Array(0)), 'no slot for the id 0'],
    ['removed vectors are missing', replace('removed', 'F32', new Float32Array(0)), 'has 0 numbers'],
  ])('is refused by the name of the file where %s', (_what, change, message) => {
    const { tensors, metadata } = decodeSafetensors(changed({ fusedWeights }).toBytes());
    const record = Object.fromEntries([...tensors].map(([name, tensor]) => [name, { ...tensor }]));
    for (const tensor of Object.values(record)) Object.assign(tensor, { data: tensor.data.slice() });
    change(record);
    const bytes = encodeSafetensors(record, { ...metadata, checksum: checksum(record) });
    expect(() => MemStore.fromBytes(bytes, {}, 'memory.st')).toThrow(InputError);
    expect(() => MemStore.fromBytes(bytes, {}, 'memory.st')).toThrow(/^memory\.st/);
    expect(() => MemStore.fromBytes(bytes, {}, 'memory.st')).toThrow(message);
  });
});
