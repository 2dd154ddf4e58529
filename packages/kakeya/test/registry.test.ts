import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  KakeyaCodecV4,
  type KakeyaHandle,
  KakeyaRegistry,
  matrix,
  presets,
  quantile,
  type RoutingEntry,
  rowOf,
} from '../src/index.js';
import { Reservoir } from '../src/registry/reservoir.js';
import { axes, memories, memoryAt } from './memories.js';
import { relativeError } from './vectors.js';

const train = memories(200, 1);
const fresh = memories(40, 9);

function built(config: object = {}): KakeyaRegistry {
  const registry = new KakeyaRegistry(config);
  registry.build(train.fields, axes, { baseCoords: train.base });
  return registry;
}

function medianError(registry: KakeyaRegistry, handles: readonly KakeyaHandle[], field: string): number {
  const errors = handles.map((handle, i) =>
    relativeError(rowOf(fresh.fields[field]!, i), registry.decodeField(handle, field)!),
  );
  return quantile(errors, 0.5);
}

describe('routing', () => {
  it('has four default sets and refuses one set, unknown owners, empty fields and late changes', () => {
    const registry = new KakeyaRegistry();
    expect(registry.routing).toHaveLength(4);
    const entry: RoutingEntry = { owner: 'time', fields: ['a'] };
    expect(() => registry.defineSets([entry])).toThrow(/multiple-sets rule/);
    expect(() => registry.defineSets([entry, { owner: 'nobody' as 'ctx', fields: ['a'] }])).toThrow(/nobody/);
    expect(() => registry.defineSets([entry, { owner: 'ctx', fields: [] }])).toThrow(/non-empty/);
    expect(registry.routing).toHaveLength(4);
    expect(() => built().defineSets([entry, entry])).toThrow(/before the first build/);
  });

  it('builds every kind of routing, covering each field once per set, records in order of set index', () => {
    const names = ['a', 'b', 'c', 'd'];
    const corpus = Object.fromEntries(
      names.map((name, i) => [name, memories(30, 20 + i).fields.content_wte_mean!]),
    );
    const owners = ['time', 'topic', 'ctx'] as const;
    for (let sets = 2; sets <= 6; sets++) {
      for (let fields = 1; fields <= 4; fields++) {
        const routing = Array.from({ length: sets }, (_, s) => ({
          owner: owners[s % 3]!,
          fields: names.slice(0, 1 + ((s + fields) % fields)),
        }));
        const registry = new KakeyaRegistry({ ...presets.reference, kakeyaK: 4 });
        registry.defineSets(routing);
        registry.build(corpus, axes);
        const handle = registry.encodeMany(corpus)[0]!;
        routing.forEach((entry, setIdx) => {
          const slices = entry.fields.map((field) => registry.offsetsOf(setIdx)![field]!);
          expect(slices.map(([from]) => from)).toEqual(entry.fields.map((_, i) => 80 * i));
          expect(slices.map(([from, to]) => to - from)).toEqual(entry.fields.map(() => 80));
        });
        for (const field of handle.fields()) {
          const order = handle.entries[field]!.map(({ setIdx }) => setIdx);
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
        expect(registry.verifyInvariants(30, axes)).toEqual([]);
      }
    }
  });
});

describe('encoding memories', () => {
  it('covers every routed field with bounded error and null for the unknown', () => {
    const registry = built();
    const codec = new KakeyaCodecV4(registry);
    expect(codec.nSets).toBe(4);
    for (let i = 0; i < 10; i++) {
      const memory = memoryAt(fresh, i);
      const handle = codec.encode(memory);
      expect(handle.fields()).toEqual(['content_wte_mean', 'context_descriptor', 'semantic_emb']);
      for (const field of handle.fields()) {
        const decoded = codec.decode(handle, field)!;
        expect(decoded).toHaveLength(memory[field]!.length);
        expect(relativeError(memory[field]!, decoded)).toBeLessThan(0.5);
      }
      expect(codec.decode(handle, 'nothing')).toBeNull();
      expect(registry.decodeField(handle, 'semantic_emb', 2)).toBeNull();
    }
    expect(registry.verifyInvariants(200, axes)).toEqual([]);
  });

  it('codes many memories as it codes one, and skips sets with a missing field', () => {
    const registry = built();
    const many = registry.encodeMany(fresh.fields);
    const one = registry.encodeMemoryFields(memoryAt(fresh, 3));
    expect(one.entries).toEqual(many[3]!.entries);
    const partial = registry.encodeMemoryFields({ semantic_emb: memoryAt(fresh, 3).semantic_emb! });
    expect(partial.entries.semantic_emb!.map(({ setIdx }) => setIdx)).toEqual([0]);
    expect(registry.stats().sets.map(({ skipped }) => skipped)).toEqual([0, 1, 1, 1]);
  });

  it('scales fields, so a loud one does not drown a quiet one, and picks the better set', () => {
    const loud = memories(200, 1, { contrast: 50 });
    const test = memories(40, 9, { contrast: 50 });
    const sparse = { ...presets.reference, kakeyaDRes: 5 };
    const scaled = new KakeyaRegistry({ ...sparse, mode: 'improved', fieldScaling: 'rms', encoder: 'refit' });
    const plain = new KakeyaRegistry(sparse);
    for (const registry of [scaled, plain]) registry.build(loud.fields, axes);
    const content = (registry: KakeyaRegistry, setIdx?: number) =>
      quantile(
        registry
          .encodeMany(test.fields)
          .map((handle, i) =>
            relativeError(
              rowOf(test.fields.content_wte_mean!, i),
              registry.decodeField(handle, 'content_wte_mean', setIdx)!,
            ),
          ),
        0.5,
      );
    expect(content(plain)).toBe(content(plain, 1));
    expect(content(scaled, 1)).toBeLessThan(0.75 * content(plain, 1));
    expect(content(scaled)).toBeLessThanOrEqual(Math.min(content(scaled, 1), content(scaled, 3)) + 1e-9);
  });
});

describe('alignment', () => {
  it('has ridge maps whose axis the PCA sees, and random maps that it hardly does', () => {
    const ridge = built({ coder: 'sparse' }).stats().sets;
    expect(ridge.map(({ mapOrigin }) => mapOrigin)).toEqual(['ridge', 'ridge', 'ridge', 'ridge']);
    for (const { fidelity } of ridge) expect(fidelity).toBeGreaterThan(0.95);
    const random = new KakeyaRegistry({ coder: 'sparse', baseToField: 'random' });
    random.build(train.fields, axes);
    for (const { fidelity, mapOrigin } of random.stats().sets) {
      expect(mapOrigin).toBe('random');
      expect(fidelity).toBeLessThan(0.8);
    }
    const given = new KakeyaRegistry({ baseToField: 'given' });
    expect(() => given.build(train.fields, axes)).toThrow(/time::semantic_emb is missing/);
  });

  it('notices broken invariants', () => {
    const registry = built();
    const turned = { ...axes, time: Float64Array.from(axes.time, (x, i) => (i % 2 === 0 ? -x : x)) };
    expect(registry.verifyInvariants(200, turned).some((m) => m.startsWith('invariant 4: set 0'))).toBe(true);
    expect(new KakeyaRegistry().verifyInvariants(8)[0]).toMatch(/^invariant 3: 0 active/);
    expect(new KakeyaRegistry().verifyInvariants(7)).toEqual([]);
    const strange = matrix(
      60,
      96,
      memories(60, 77).fields.semantic_emb!.data.map((x: number, i: number) =>
        i % 3 ? -3 * x : x * x,
      ) as Float64Array,
    );
    registry.encodeMany({ ...memories(60, 77).fields, semantic_emb: strange });
    expect(registry.verifyInvariants(200).some((m) => m.startsWith('invariant 5: set 0'))).toBe(true);
    registry.encodeMemoryFields({ other: new Float64Array(300) });
    expect(registry.verifyInvariants(200)[0]).toMatch(/^invariant 2: field other/);
  });
});

describe('epochs', () => {
  const early = memories(8, 1, { rank: 40 });
  const later = memories(200, 1, { rank: 40 });

  it('rebuilds at doublings and on drift, and never in parity mode', () => {
    const registry = new KakeyaRegistry({ kakeyaReconstructionTol: 0.05 });
    expect(registry.rebuildIfNeeded(100)).toBe(false);
    registry.build(early.fields, axes, { baseCoords: early.base });
    expect(registry.rebuildIfNeeded(9)).toBe(false);
    registry.encodeMany(later.fields, later.base);
    expect(registry.rebuildIfNeeded(11)).toBe(false);
    expect(registry.rebuildIfNeeded(12)).toBe(true);
    expect(registry.epoch).toBe(2);
    expect(registry.rebuildIfNeeded(15)).toBe(false);
    expect(registry.rebuildIfNeeded(16)).toBe(true);
    expect(registry.stats().sets.every(({ mapOrigin }) => mapOrigin === 'ridge')).toBe(true);
    const parity = new KakeyaRegistry(presets.reference);
    parity.build(early.fields, axes);
    expect(parity.rebuildIfNeeded(1000)).toBe(false);
    const frugal = new KakeyaRegistry({ rebuildPolicy: 'breakEven' });
    frugal.build(early.fields, axes);
    expect(frugal.rebuildIfNeeded(16)).toBe(false);
  });

  it('keeps old records readable until they are migrated, with error at most the sum', () => {
    const registry = new KakeyaRegistry({ bytesPerVec: 24 });
    registry.build(early.fields, axes, { baseCoords: early.base });
    const before = registry.encodeMany(later.fields, later.base);
    const oldValues = before.map((handle) => registry.decodeField(handle, 'semantic_emb')!);
    expect(registry.rebuildIfNeeded(208)).toBe(true);
    before.forEach((handle, i) => {
      expect(registry.decodeField(handle, 'semantic_emb')).toEqual(oldValues[i]);
    });
    expect(() => registry.sets[0]!.decode(before[0]!.get('semantic_emb', 0)!)).toThrow(/build 1 .* build 2/);
    const oldFirst = before.map((handle) => registry.decodeField(handle, 'semantic_emb', 0)!);
    const after = registry.migrate(before);
    after.forEach((handle, i) => {
      expect(handle.fields()).toEqual(before[i]!.fields());
      expect(handle.get('semantic_emb', 0)!.epoch).toBe(2);
      const truth = rowOf(later.fields.semantic_emb!, i);
      const now = registry.decodeField(handle, 'semantic_emb', 0)!;
      const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        Math.hypot(...Array.from(a, (x, j) => x - b[j]!));
      const allowed = distance(truth, oldFirst[i]!) + distance(oldFirst[i]!, now);
      expect(distance(truth, now)).toBeLessThanOrEqual(allowed + 1e-6);
      expect(distance(oldFirst[i]!, now) / Math.hypot(...oldFirst[i]!)).toBeCloseTo(
        handle.get('semantic_emb', 0)!.relErr,
        4,
      );
    });
    expect(() => registry.decodeField(before[0]!, 'semantic_emb')).toThrow(
      /build 1, which this registry does not hold/,
    );
  });

  it('parity mode decodes old records with the new skeleton, as the reference does', () => {
    const registry = new KakeyaRegistry(presets.reference);
    registry.build(early.fields, axes);
    const handle = registry.encodeMany(later.fields)[0]!;
    const before = registry.decodeField(handle, 'semantic_emb')!;
    registry.build(later.fields, axes);
    expect(relativeError(before, registry.decodeField(handle, 'semantic_emb')!)).toBeGreaterThan(0.01);
  });
});

describe('accounting', () => {
  it('tells that the reference expands at small n and that half-precision skeletons do not', () => {
    const wide = (n: number) => {
      const fields = memories(n, 5, { rank: 40 }).fields;
      return {
        semantic_emb: fields.semantic_emb!,
        content_wte_mean: fields.content_wte_mean!,
        context_descriptor: fields.context_descriptor!,
      };
    };
    const reference = new KakeyaRegistry(presets.reference);
    reference.build(wide(10), axes);
    expect(reference.stats(10).ratio).toBeLessThan(1);
    const improved = new KakeyaRegistry({ reservoirSize: 2 });
    improved.build(wide(10), axes);
    for (const set of improved.stats(10).sets) expect(set.ratio).toBeGreaterThan(1);
    const stats = reference.stats(1000);
    expect(stats.compressedBytes).toBe(
      stats.skeletonBytes + stats.mapBytes + stats.recordBytes + stats.reservoirBytes,
    );
    expect(stats.originalBytes).toBe(4 * 1000 * (96 + 80 + 64));
    const at = stats.breakEvenN!;
    expect(reference.stats(at).ratio).toBeGreaterThan(1);
    expect(reference.stats(at - 1).ratio).toBeLessThanOrEqual(1);
  });
});

describe('saving', () => {
  it.each([
    ['improved', {}],
    ['sparse half precision', { coder: 'sparse' }],
    ['scalar transform', { quantiser: 'scalar' }],
    ['pca-int8', { coder: 'pca-int8', bytesPerVec: 20 }],
    ['pq', { coder: 'pq', bytesPerVec: 4 }],
    ['parity', presets.reference],
  ] as const)(
    'a registry and loading it decodes and encodes the same numbers (%s)',
    { timeout: 300_000 },
    async (_, config) => {
      const path = join(mkdtempSync(join(tmpdir(), 'kakeya-')), 'registry.safetensors');
      const registry = built(config);
      const old = registry.encodeMany(fresh.fields);
      if (config !== presets.reference) registry.rebuildIfNeeded(400);
      const handles = [...old, ...registry.encodeMany(fresh.fields, fresh.base)];
      await registry.save(path, handles);
      const again = await KakeyaRegistry.loadWithHandles(path);
      expect(again.handles.map(({ entries }) => entries)).toEqual(handles.map(({ entries }) => entries));
      handles.forEach((handle, i) => {
        for (const field of handle.fields()) {
          expect(again.registry.decodeField(again.handles[i]!, field)).toEqual(
            registry.decodeField(handle, field),
          );
        }
      });
      expect(again.registry.stats()).toEqual(registry.stats());
      expect(again.registry.encodeMany(train.fields)[7]!.entries).toEqual(
        registry.encodeMany(train.fields)[7]!.entries,
      );
      expect(again.registry.rebuildIfNeeded(4000)).toBe(registry.rebuildIfNeeded(4000));
      expect(again.registry.encodeMany(train.fields)[7]!.entries).toEqual(
        registry.encodeMany(train.fields)[7]!.entries,
      );
      expect(
        medianError(again.registry, again.registry.encodeMany(fresh.fields), 'semantic_emb'),
      ).toBeLessThan(1);
    },
  );
});

it('a reservoir is restored whatever its size', () => {
  const items = Array.from({ length: 200_000 }, (_, index) => index);
  const reservoir = new Reservoir<number>(items.length, 1);
  reservoir.offer(-1);
  reservoir.restore(items, new Reservoir<number>(1, 2).position());
  expect(reservoir.items).toEqual(items);
});
