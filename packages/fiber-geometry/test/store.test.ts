import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors, InputError, type SafeTensor } from '@palimpsest/base';
import { encodeSafetensors, ndarray, Rng } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { type MemEntry, MemStore, type NewEntry } from '../src/index.js';
import { BUNDLES, COORDINATES, coordinateSize } from '../src/store/entry.js';
import { checksum } from '../src/store/store-file.js';

const sizes = { dTime: 4, dTopic: 5, dCtx: 6, dFTime: 3, dFTopic: 4, dFCtx: 2 };
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

function entry(rng: Rng, extra: Partial<NewEntry> = {}): NewEntry {
  const fields = COORDINATES.map((name) => {
    const values = Array.from({ length: coordinateSize(name, sizes) }, () => rng.normal());
    const norm = Math.hypot(...values);
    return [name, name.endsWith('Dirn') ? values.map((value) => value / norm) : values];
  });
  return { ...Object.fromEntries(fields), ...extra } as NewEntry;
}

const snapshot = (store: MemStore) => JSON.stringify(store.allEntries());

describe('what must not happen to a memory', () => {
  const broken: [string, unknown, string][] = [
    ['surprise', undefined, "'surprise' must be a finite number, but is undefined"],
    ['ts', Number.NaN, "'ts' must be a finite number, but is NaN"],
    ['sourceText', undefined, "'sourceText' must be a text, but is undefined"],
    ['contentTokenIds', undefined, "'contentTokenIds' must be a list of integers, but is undefined"],
    ['timeDirn', undefined, "'timeDirn' is not a list of numbers"],
    ['mood', Number.NaN, "'mood' is NaN"],
    [
      'reconstructionErrors',
      { field: Number.NaN },
      "'reconstructionErrors.field' must be a number of at least 0",
    ],
  ];

  it.each(broken)('a %s of %s is refused, and nothing changes', (name, value, message) => {
    const rng = Rng.fromSeed(31);
    const store = new MemStore(sizes);
    store.add(entry(rng));
    const before = snapshot(store);
    expect(() => store.update(0, { [name]: value })).toThrow(message);
    expect(() => store.add({ ...entry(rng), [name]: value })).toThrow(message);
    expect(snapshot(store)).toBe(before);
    expect(store.verifyConsistency()).toEqual([]);
  });

  it('a handle that is undefined is taken off', () => {
    const store = new MemStore(sizes);
    store.add(entry(Rng.fromSeed(32), { kakeyaHandle: 'h', note: 'n' }));
    expect(Object.keys(store.update(0, { kakeyaHandle: undefined, note: undefined }))).not.toContain('note');
    expect('kakeyaHandle' in store.get(0)!).toBe(false);
  });

  it('a callback that throws leaves the store as it was', () => {
    const rng = Rng.fromSeed(33);
    let told = 0;
    const refuse = () => {
      told += 1;
      throw new Error('not now');
    };
    const store = new MemStore({ ...sizes, capacity: 3 }, { onEvict: refuse });
    for (let i = 0; i < 3; i++) store.add(entry(rng, { ts: i }));
    const before = snapshot(store);
    expect(() => store.add(entry(rng, { ts: 9 }))).toThrow('not now');
    expect([told, snapshot(store), store.verifyConsistency()]).toEqual([1, before, []]);
  });

  it('a callback may add an entry of its own', () => {
    const rng = Rng.fromSeed(34);
    const kept = new MemStore(sizes);
    const store = new MemStore(
      { ...sizes, capacity: 2 },
      { onEvict: (gone) => void kept.add(entry(rng, { ts: gone.ts })) },
    );
    for (let i = 0; i < 5; i++) store.add(entry(rng, { ts: i }));
    expect([store.allMids(), kept.length]).toEqual([[3, 4], 3]);
  });
});

describe('memory store', () => {
  it('puts an entry in all three indexes and finds it first', () => {
    const rng = Rng.fromSeed(1);
    const store = new MemStore(sizes);
    const entries = Array.from({ length: 20 }, () => entry(rng));
    entries.forEach((item, row) => {
      expect(store.add(item)).toBe(row);
    });
    for (const bundle of BUNDLES) {
      expect(store.index(bundle).size).toBe(20);
      entries.forEach((item, row) => {
        expect(store.search(bundle, item[`${bundle}Dirn`])[0]).toEqual({
          id: row,
          cosine: expect.closeTo(1, 6),
        });
      });
    }
    expect(store.search('time', entries[0]!.timeDirn)).toHaveLength(8);
    expect(new MemStore(sizes).verifyConsistency()).toEqual([]);
  });

  it.each(['flat', 'tree', 'cone', 'hnsw', 'auto'] as const)(
    'stays consistent over 10,000 random operations: %s',
    (indexKind) => {
      const rng = Rng.fromSeed(2);
      const store = new MemStore({ ...sizes, indexKind });
      const model = new Map<number, { version: number; cnt: number; text: string }>();
      let next = 0;
      for (let step = 0; step < 10_000; step++) {
        const mids = store.allMids();
        const mid = mids.length > 0 ? mids[rng.int(mids.length)]! : 0;
        const action = rng.uniform();
        if (action < 0.4 || mids.length === 0) {
          expect(store.add(entry(rng, { sourceText: `text ${step}` }))).toBe(next);
          model.set(next++, { version: 0, cnt: 0, text: `text ${step}` });
        } else if (action < 0.75) {
          expect(store.remove(mid)).toBe(true);
          expect(store.remove(mid)).toBe(false);
          model.delete(mid);
        } else if (action < 0.9) {
          const { topicDirn, timeBase } = entry(rng);
          store.update(mid, { topicDirn, timeBase, sourceText: `new ${step}` });
          Object.assign(model.get(mid)!, { version: model.get(mid)!.version + 1, text: `new ${step}` });
          expect(store.search('topic', topicDirn, 1)[0]!.cosine).toBeCloseTo(1, 5);
        } else {
          store.touch(mid, step);
          model.get(mid)!.cnt += 1;
        }
        if (step % 250 !== 0) continue;
        expect(store.allMids()).toEqual([...model.keys()]);
        expect(store.verifyConsistency()).toEqual([]);
        for (const { mid: id, version, cnt, sourceText } of store) {
          expect({ version, cnt, text: sourceText }).toEqual(model.get(id));
        }
      }
      store.clear();
      expect([store.length, store.verifyConsistency(), store.add(entry(rng))]).toEqual([0, [], next]);
    },
  );

  it.each([
    ['oldest', [0, 2, 1]],
    ['leastRecentlyUsed', [1, 2, 0]],
    ['lowestScore', [2, 1, 0]],
  ] as const)('evicts by %s', (evictionPolicy, order) => {
    const rng = Rng.fromSeed(3);
    const evicted: number[] = [];
    const store = new MemStore(
      { ...sizes, capacity: 3, evictionPolicy, evictionTau: 10 },
      { onEvict: ({ mid }) => evicted.push(mid) },
    );
    store.add(entry(rng, { ts: 0, surprise: 5 }));
    store.add(entry(rng, { ts: 2, surprise: 3 }));
    store.add(entry(rng, { ts: 1, surprise: 0.01 }));
    store.touch(2, 5);
    store.touch(0, 9);
    for (let i = 0; i < 3; i++) {
      store.add(entry(rng, { ts: 10, last: 10, surprise: 9 }));
      expect(store.length).toBe(3);
      expect(store.verifyConsistency()).toEqual([]);
    }
    expect(evicted).toEqual(order);
  });

  it('ranks by the weighted sum of cosines', () => {
    const rng = Rng.fromSeed(4);
    const store = new MemStore(sizes);
    for (let i = 0; i < 60; i++) store.add(entry(rng));
    const { timeDirn, topicDirn, ctxDirn } = entry(rng);
    const weights = { time: 0.5, topic: 2, ctx: 1 };
    const cosine = (a: ArrayLike<number>, b: Float32Array) =>
      b.reduce((sum, value, i) => sum + value * a[i]!, 0);
    const expected = store
      .allEntries()
      .map((item) => ({
        id: item.mid,
        score:
          0.5 * cosine(timeDirn, item.timeDirn) +
          2 * cosine(topicDirn, item.topicDirn) +
          cosine(ctxDirn, item.ctxDirn),
      }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 5);
    // By candidates of each bundle, and over all entries.
    for (const k of [14, 15]) {
      const hits = store.searchFused({ time: timeDirn, topic: topicDirn, ctx: ctxDirn }, weights, k);
      expect(hits).toHaveLength(k);
      hits.slice(0, 5).forEach(({ id, score }, i) => {
        expect([id, score]).toEqual([expected[i]!.id, expect.closeTo(expected[i]!.score, 5)]);
      });
      // Of given entries in their order: the same sums.
      const turned = hits.toReversed();
      const asked = { time: timeDirn, topic: topicDirn, ctx: ctxDirn };
      expect(
        store.scoreFused(
          asked,
          weights,
          turned.map(({ id }) => id),
        ),
      ).toEqual(turned);
    }
    expect(() => store.scoreFused({ ctx: ctxDirn }, {}, [-1])).toThrow('There is no memory -1.');
    expect(() => store.searchFused({ ctx: [1, 0] }, {}, 60)).toThrow(/'ctx' must have 6 numbers, but has 2/);
    expect(store.searchFused({ ctx: ctxDirn }, {}, 4).map(({ id }) => id)).toEqual(
      store.search('ctx', ctxDirn, 4).map(({ id }) => id),
    );
    expect(() => store.searchFused({})).toThrow(/at least one bundle/);
    expect(() => store.searchFused({ ctx: ctxDirn }, { ctx: Number.NaN })).toThrow(/weight of 'ctx'/);
  });
});

describe('a store without a capacity', () => {
  /** Milliseconds of the quickest of some rounds of adding and removing. */
  const cost = (size: number) => {
    const rng = Rng.fromSeed(6);
    const store = new MemStore({ ...sizes, indexKind: 'flat' });
    const one = entry(rng);
    for (let i = 0; i < size; i++) store.add(one);
    const rounds = Array.from({ length: 7 }, () => {
      const start = performance.now();
      for (let i = 0; i < 100; i++) store.remove(store.add(one));
      return performance.now() - start;
    });
    return Math.min(...rounds);
  };

  it('takes an entry in without a look at the others', () => {
    expect(cost(10_000)).toBeLessThan(10 * cost(100));
  });
});

describe('bad input', () => {
  const rng = Rng.fromSeed(5);
  const store = new MemStore({ ...sizes, capacity: 3 });
  for (let i = 0; i < 3; i++) store.add(entry(rng, { surprise: i }));
  const before = snapshot(store);

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['a wrong dimension', { timeBase: [1, 2, 3] }, /'timeBase' has 3 numbers instead of 4/],
    ['NaN', { ctxFiber: [1, Number.NaN] }, /'ctxFiber' holds NaN at position 1/],
    ['infinity', { topicBase: [1, 2, 3, 4, Number.NEGATIVE_INFINITY] }, /'topicBase' holds -Infinity/],
    ['a zero direction', { timeDirn: [0, 0, 0, 0] }, /'timeDirn' has length 0.00000 instead of 1/],
    ['a direction that is not unit', { timeDirn: [1, 0.1, 0, 0] }, /length 1.00499 instead of 1/],
    ['a text for a coordinate', { ctxBase: 'abc' }, /'ctxBase' is not a list of numbers/],
    ['a missing coordinate', { ctxBase: undefined }, /'ctxBase' is not a list of numbers/],
    ['a surprise that is no number', { surprise: 'high' }, /'surprise' must be a finite number/],
    ['a time that is not finite', { ts: Number.NaN }, /'ts' must be a finite number/],
    [
      'token ids that are no integers',
      { contentTokenIds: [1.5] },
      /'contentTokenIds' must be a list of integers/,
    ],
    ['a source that is no text', { sourceText: 7 }, /'sourceText' must be a text/],
  ];
  it.each(bad)('%s is refused and changes nothing', (_what, fields, message) => {
    expect(() => store.add({ ...entry(rng), ...fields } as NewEntry)).toThrow(message);
    if (!Object.values(fields).includes(undefined)) {
      expect(() => store.update(1, fields as Partial<NewEntry>)).toThrow(message);
    }
    expect(snapshot(store)).toBe(before);
    expect(store.verifyConsistency()).toEqual([]);
  });

  it('unknown ids and bundles are named', () => {
    expect(() => store.update(99, {})).toThrow(/no memory entry 99/);
    expect(() => store.touch(99, 1)).toThrow(/no memory entry 99/);
    expect(() => store.touch(1, Number.NaN)).toThrow(/finite number/);
    expect(() => store.search('space' as never, [1])).toThrow(/time, topic or ctx/);
    expect(() => store.search('time', [1, 0])).toThrow(/must have 4 numbers, but has 2/);
    expect(() => new MemStore({ dTime: 3 })).toThrow(/'dTime'/);
    expect(snapshot(store)).toBe(before);
  });

  it('random damage to an entry never leaves a store that is inconsistent', () => {
    const fuzz = Rng.fromSeed(6);
    const poison: unknown[] = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      undefined,
      null,
      'x',
      [],
      {},
      [[1]],
      -1,
      1e308,
    ];
    for (let round = 0; round < 1000; round++) {
      const damaged: Record<string, unknown> = { ...entry(fuzz) };
      const names = [...COORDINATES, 'surprise', 'ts', 'last', 'contentTokenIds'];
      const name = names[fuzz.int(names.length)]!;
      damaged[name] = poison[fuzz.int(poison.length)];
      try {
        store.add(damaged as NewEntry);
      } catch (error) {
        expect((error as Error).message).toContain(name);
      }
      expect(store.length).toBe(3);
    }
    expect(store.verifyConsistency()).toEqual([]);
  });
});

describe('invariants', () => {
  const rng = Rng.fromSeed(7);
  const fresh = () => {
    const store = new MemStore(sizes);
    store.add(entry(rng));
    store.add(entry(rng));
    return store;
  };
  const raw = new Float32Array(1536);
  const nested: [string, unknown, string][] = [
    ['a vector', raw, 'field'],
    ['a column', ndarray(raw, [1536, 1]), 'field'],
    ['a list', Array.from(raw), 'field'],
    ['rows', Array.from({ length: 32 }, () => Array.from({ length: 8 }, () => 0)), 'field'],
    ['inside an object', { deep: { er: raw } }, 'field.deep.er'],
    ['inside a list', [{ a: 1 }, { b: raw }], 'field.1.b'],
    ['inside a map', new Map([['key', raw]]), 'field.key'],
  ];
  it.each(nested)('2: a raw large array is named: %s', (_what, value, path) => {
    const store = fresh();
    store.assertAllLargeFieldsCompressed();
    (store.get(1) as MemEntry).field = value;
    expect(() => store.assertAllLargeFieldsCompressed()).toThrow(`raw field '${path}' of shape [`);
    expect(store.verifyConsistency()).toEqual([
      expect.stringContaining(`invariant 2: entry 1: raw field '${path}'`),
    ]);
  });

  it('2: long lists of token ids are no raw arrays, and parity mode looks where the original looks', () => {
    const store = new MemStore({ ...sizes, mode: 'parity' });
    store.add(
      entry(rng, { contentTokenIds: Array.from({ length: 2000 }, (_, i) => i), field: { deep: raw } }),
    );
    store.assertAllLargeFieldsCompressed();
    store.get(0)!.other = raw;
    expect(() => store.assertAllLargeFieldsCompressed()).toThrow(/'other' of shape \[1536\]/);
  });

  it('1: every broken coordinate is reported', () => {
    const store = fresh();
    const first = store.get(0)!;
    first.timeBase = new Float32Array(9);
    first.topicFiber[2] = Number.NaN;
    first.ctxDirn = first.ctxDirn.map((value) => value * 1.001);
    delete (store.get(1) as unknown as Record<string, unknown>).ctxBase;
    expect(store.verifyConsistency()).toEqual([
      "invariant 1: entry 0: 'timeBase' has 9 numbers instead of 4",
      "invariant 1: entry 0: 'topicFiber' holds NaN at position 2",
      expect.stringMatching(/invariant 1: entry 0: 'ctxDirn' has length 1.00100/),
      "invariant 1: entry 1: 'ctxBase' is not a list of numbers",
    ]);
  });

  it('indexes that disagree with the store are reported', () => {
    const store = fresh();
    store.index('topic').remove(1);
    store.index('ctx').insert(5, [1, 0, 0, 0, 0, 0]);
    expect(store.verifyConsistency()).toEqual([
      expect.stringMatching(/index of topic: .* lacks 1 ids of the store: 1/),
      expect.stringMatching(/index of ctx: .* holds 1 ids that the store lacks: 5/),
    ]);
  });

  it('3, 4 and 5: the registry is asked with its axes, and reconstruction is measured', () => {
    const store = new MemStore<{ scale: number }>(sizes);
    store.add({
      ...entry(rng),
      kakeyaHandle: { scale: 1.01 },
      reconstructionErrors: { semantic: 0.1 },
    } as NewEntry<{ scale: number }>);
    store.add({
      ...entry(rng),
      kakeyaHandle: { scale: 1.3 },
      reconstructionErrors: { semantic: 0.2 },
    } as NewEntry<{ scale: number }>);
    const asked: unknown[] = [];
    const registry = {
      verifyInvariants: (entries: number, axes?: unknown) => {
        asked.push([entries, axes]);
        return axes ? ['invariant 4: set 1 is off its axis'] : ['invariant 3: 0 active sets'];
      },
      decodeField: ({ scale }: { scale: number }, field: string) => (field === 'word' ? [scale, 0] : null),
    };
    expect(store.verifyConsistency()).toEqual([
      expect.stringContaining("invariant 5: entry 1: field 'semantic'"),
    ]);
    expect(store.verifyConsistency(registry)).toContain('invariant 3: 0 active sets');
    const messages = store.verifyConsistency(
      registry,
      { time: [1, 0, 0, 0] },
      { original: () => ({ word: [1, 0] }) },
    );
    expect(messages).toEqual([
      expect.stringContaining("entry 1: field 'semantic' has relative error 0.200"),
      expect.stringContaining("entry 1: field 'word' has relative error 0.300"),
      'invariant 4: set 1 is off its axis',
    ]);
    expect(asked.at(-1)).toEqual([2, { time: [1, 0, 0, 0] }]);
    const absent = store.verifyConsistency(registry, undefined, { original: () => ({ gone: [1] }) });
    expect(absent).toContain("invariant 5: entry 0: field 'gone' is not stored");
  });
});

describe('files', () => {
  const reloaded = (store: MemStore) => snapshot(MemStore.fromBytes(store.toBytes()));

  const handle = () => ({
    entries: {
      semantic: [
        { setIdx: 1, alpha: -0.5, residualVals: Float32Array.of(1, 2), residualIdx: Int32Array.of(3) },
      ],
    },
  });
  const filled = (seed: number, count = 12) => {
    const rng = Rng.fromSeed(seed);
    const store = new MemStore({ ...sizes, capacity: 50 });
    for (let i = 0; i < count; i++) {
      store.add(
        entry(rng, {
          sourceText: `né ${i} 記憶`,
          surprise: i / 3,
          ts: i,
          rareKeywordIds: [i, 7],
          kakeyaHandle: handle(),
        }),
      );
    }
    store.remove(3);
    store.touch(count - 1, 99);
    return store;
  };

  it('give back the same store, which goes on where it stopped', async () => {
    const store = filled(1);
    const path = join(folder, 'same.safetensors');
    await store.save(path);
    const loaded = await MemStore.load(path);
    expect(loaded.allEntries()).toEqual(store.allEntries());
    expect(loaded.config).toEqual(store.config);
    expect(loaded.verifyConsistency()).toEqual([]);
    const query = store.get(5)!.topicDirn;
    expect(loaded.search('topic', query)).toEqual(store.search('topic', query));
    expect(loaded.add(entry(Rng.fromSeed(2)))).toBe(12);
    expect(Buffer.from(new MemStore(sizes).toBytes())).toEqual(
      Buffer.from(MemStore.fromBytes(new MemStore(sizes).toBytes()).toBytes()),
    );
  });

  it('carry handles of a class through a codec, and name a value that cannot be stored', () => {
    class Handle {
      constructor(readonly values: Float32Array) {}
    }
    const handleCodec = {
      toPlain: ({ values }: Handle) => values,
      fromPlain: (plain: unknown) => new Handle(plain as Float32Array),
    };
    const store = new MemStore<Handle>(sizes, { handleCodec });
    store.add(
      entry(Rng.fromSeed(3), { kakeyaHandle: new Handle(Float32Array.of(4, 5)) }) as NewEntry<Handle>,
    );
    const loaded = MemStore.fromBytes<Handle>(store.toBytes(), { handleCodec });
    expect(loaded.get(0)!.kakeyaHandle).toEqual(new Handle(Float32Array.of(4, 5)));
    store.get(0)!.extra = () => 1;
    expect(() => store.toBytes()).toThrow(/'entry 0.extra' cannot be saved/);
  });

  it('torn at any byte are refused by name', () => {
    const bytes = filled(4, 3).toBytes();
    for (let length = 0; length < bytes.length; length++) {
      expect(
        () => MemStore.fromBytes(bytes.subarray(0, length), {}, 'memory.st'),
        `cut at ${length}`,
      ).toThrow(/memory\.st/);
    }
  });

  it('with a flipped byte are refused, or hold the same entries', () => {
    const store = filled(5, 3);
    const [bytes, exact] = [store.toBytes(), reloaded(store)];
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x15;
      try {
        expect(snapshot(MemStore.fromBytes(damaged, {}, 'memory.st')), `byte ${at}`).toBe(exact);
      } catch (error) {
        expect((error as Error).message, `byte ${at}`).toContain('memory.st');
      }
    }
  });

  /** A store's file with its JSON and tensors changed, and the checksum right. */
  function altered(
    change: (json: Record<string, unknown>, tensors: Record<string, SafeTensor>) => unknown,
  ): Uint8Array {
    const { tensors, metadata } = decodeSafetensors(filled(4, 3).toBytes());
    const record = Object.fromEntries(tensors);
    const json = JSON.parse(new TextDecoder().decode(record['entries.json']!.data as Uint8Array));
    const changed = change(json, record);
    const data = new TextEncoder().encode(JSON.stringify(changed === undefined ? json : changed));
    if (record['entries.json']) record['entries.json'] = { dtype: 'U8', shape: [data.length], data };
    return encodeSafetensors(record, { ...metadata, checksum: checksum(record) });
  }
  const member = (path: string, value: unknown) => (json: Record<string, unknown>) => {
    const keys = path.split('.');
    const last = keys.pop()!;
    const place = keys.reduce<Record<string, unknown>>((node, key) => node[key] as typeof node, json);
    place[last] = value;
  };

  it.each<[string, Parameters<typeof altered>[0], string]>([
    ['entries are null', member('entries', null), "'entries' in 'entries.json' must be a list, but is null"],
    ['entries are an object', member('entries', {}), "'entries' in 'entries.json' must be a list"],
    [
      'an entry is a number',
      member('entries.1', 5),
      "'entries.1' in 'entries.json' must be an object, but is 5",
    ],
    ['nextMid is a text', member('nextMid', '3'), "'nextMid' in 'entries.json' must be a whole number"],
    [
      'nextMid is missing',
      member('nextMid', undefined),
      "'nextMid' in 'entries.json' must be a whole number",
    ],
    ['config is a list', member('config', []), "'config' in 'entries.json' must be an object"],
    ['a size of config is a text', member('config.dTime', 'x'), "'config': Configuration field 'dTime'"],
    ['an id is a text', member('entries.0.mid', 'x'), 'the id x does not fit'],
    [
      'a time is null',
      member('entries.0.ts', null),
      "entry 0: A memory entry is not valid: 'ts' must be a finite",
    ],
    [
      'token ids are texts',
      member('entries.2.contentTokenIds', ['a']),
      "'contentTokenIds' must be a list of integers",
    ],
    ['a text is a list', member('entries.0.sourceText', []), "'sourceText' must be a text"],
    [
      'a packed array is nowhere',
      member('entries.0.note', { $array: ['f32', 1e6, 4] }),
      'outside of the stored bytes',
    ],
    [
      'a packed array is a number',
      member('entries.0.note', { $array: 4 }),
      "'$array' must be [type, offset, length]",
    ],
    ['a packed type is unknown', member('entries.0.note', { $array: ['f9', 0, 0] }), "'$array' must be"],
    [
      'a packed number is a word',
      member('entries.0.note', { $number: 'many' }),
      "'$number' must be NaN or an infinity",
    ],
    ['the JSON is null', () => null, "'config' in 'entries.json' must be an object, but is missing"],
    ['a coordinate is missing', (_, tensors) => void delete tensors.timeBase, "'timeBase' is missing"],
    ['the JSON is missing', (_, tensors) => void delete tensors['entries.json'], "'entries.json' is missing"],
    [
      'a coordinate has too few rows',
      (_, tensors) => {
        tensors.timeBase = { dtype: 'F32', shape: [1, 4], data: new Float32Array(4) };
      },
      "'timeBase' of dtype F32 and shape [1, 4] is no F32 matrix with a row for each of the 3 entries",
    ],
    [
      'a coordinate is not finite',
      (_, tensors) => {
        (tensors.topicBase!.data as Float32Array)[0] = Number.NaN;
      },
      "entry 0: A memory entry is not valid: 'topicBase' holds NaN",
    ],
  ])('where %s are refused by file and member', (_what, change, message) => {
    expect(() => MemStore.fromBytes(altered(change), {}, 'memory.st')).toThrow(InputError);
    expect(() => MemStore.fromBytes(altered(change), {}, 'memory.st')).toThrow(/^memory\.st/);
    expect(() => MemStore.fromBytes(altered(change), {}, 'memory.st')).toThrow(message);
  });

  it('of another kind or version are refused by name', async () => {
    const tensors = { x: { dtype: 'F32' as const, shape: [1], data: new Float32Array(1) } };
    const foreign: [Uint8Array, RegExp][] = [
      [encodeSafetensors(tensors), /no memory store: its format is 'unknown'/],
      [encodeSafetensors(tensors, { format: 'palimpsest-memstore', version: '9' }), /format version 9/],
      [
        encodeSafetensors(tensors, { format: 'palimpsest-memstore', version: '1', checksum: '0' }),
        /checksum/,
      ],
      [new TextEncoder().encode('{"not": "a store"}'), /foreign\.st/],
      [new Uint8Array(0), /foreign\.st/],
    ];
    for (const [bytes, message] of foreign) {
      writeFileSync(join(folder, 'foreign.st'), bytes);
      await expect(MemStore.load(join(folder, 'foreign.st'))).rejects.toThrow(message);
    }
    await expect(MemStore.load(join(folder, 'nowhere.st'))).rejects.toThrow(/There is no file .*nowhere\.st/);
    await expect(filled(6).save(join(folder, 'no', 'such', 'folder.st'))).rejects.toThrow(/folder\.st/);
  });

  it('whose writing is interrupted at any byte leave the former version readable', async () => {
    const path = join(folder, 'kept.safetensors');
    const former = filled(7, 2);
    await former.save(path);
    const next = filled(8, 2).toBytes();
    // What a killed writer leaves behind: a temporary file of any length beside the former one.
    for (let length = 0; length <= next.length; length += 1) {
      writeFileSync(`${path}.999-1.tmp`, next.subarray(0, length));
      if (length % 64 === 0) expect((await MemStore.load(path)).allEntries()).toEqual(former.allEntries());
    }
    rmSync(`${path}.999-1.tmp`);
    await filled(8, 2).save(path);
    expect((await MemStore.load(path)).allEntries()).toEqual(filled(8, 2).allEntries());
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('survive a process killed in the middle of saving again and again', async () => {
    const path = join(folder, 'killed.safetensors');
    const versions = [filled(9, 40), filled(10, 40)];
    await versions[0]!.save(path);
    const texts = versions.map(reloaded);
    const sources = versions.map((store, index) => {
      const source = join(folder, `version-${index}.bin`);
      writeFileSync(source, store.toBytes());
      return source;
    });
    const core = new URL('../../tensor-core/dist/index.js', import.meta.url).href;
    const script = `import { readFileSync } from 'node:fs';
      import { writeFileAtomically } from '${core}';
      const versions = ${JSON.stringify(sources)}.map((source) => readFileSync(source));
      process.stdout.write('ready');
      for (let i = 0; ; i++) await writeFileAtomically(${JSON.stringify(path)}, versions[i % 2]);`;
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 3 + 7 * round));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      expect(texts).toContain(snapshot(await MemStore.load(path)));
    }
    expect(readFileSync(path).length).toBeGreaterThan(0);
  });
});
