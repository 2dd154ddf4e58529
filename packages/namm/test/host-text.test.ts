import { DecodingKernels } from '@palimpsest/base';
import { createEngine, type Engine, ndarray } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CachePolicy,
  fullPolicy,
  manageTransformer,
  policyByName,
  type UpdateReport,
} from '../src/index.js';
import { PlacePool } from '../src/managed/host/place-pool.js';
import type { ManagedTexts } from '../src/managed/managed-texts.js';
import { livelyTransformer, maxDifference, smallNamm, texts } from './support/models.js';

const schedule = { updateInterval: 16, maxTokensPerForward: 8 };
const { model, params } = livelyTransformer();
const all: readonly (readonly [string, CachePolicy])[] = [
  ['namm, 16 samples', smallNamm({ nFft: 16, hopLength: 4 }).policy],
  ['namm, hops of a whole window', smallNamm({ nFft: 16, hopLength: 16 }).policy],
  ['namm, 8 samples, by the graph', smallNamm().policy],
  ['h2o', policyByName('h2o', { size: 9 })],
  ['expected attention', policyByName('expectedAttention', { size: 9 })],
  ['random', policyByName('random', { size: 9 })],
  ['full', fullPolicy()],
];

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(() => engine.dispose());

const tokens = (ids: ArrayLike<number>) => ndarray(Int32Array.from(ids), [1, ids.length], 'int32');

async function step(reading: ManagedTexts, ids: ArrayLike<number>): Promise<number[]> {
  const all: number[] = [];
  for (const id of Array.from(ids)) {
    const logits = await reading.read(tokens([id]));
    all.push(...(await logits.data()));
    logits.dispose();
  }
  return all;
}

describe('a text that is read token by token on the processor', () => {
  it.each(all)('%s: is what graphs make of it, beside another text', async (_name, policy) => {
    const ids = texts(1, 60, 4).data;
    const reports: UpdateReport[][] = [[], []];
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    // Two texts side by side are read by graphs.
    const [alone, together] = [1, 2].map((batch, i) =>
      reader.read(batch, { onUpdate: (report) => reports[i]!.push(report) }),
    ) as [ManagedTexts, ManagedTexts];
    (await alone.read(tokens(ids.slice(0, 13)))).dispose();
    (
      await together.read(ndarray(Int32Array.of(...ids.slice(0, 13), ...ids.slice(0, 13)), [2, 13], 'int32'))
    ).dispose();
    for (const id of ids.slice(13)) {
      const own = await step(alone, [id]);
      const logits = await together.read(ndarray(Int32Array.of(id, id), [2, 1], 'int32'));
      expect(maxDifference(own, (await logits.data()).slice(0, own.length))).toBeLessThan(5e-5);
      logits.dispose();
    }
    const keptOf = (run: readonly UpdateReport[]) =>
      run.map(({ seen, layers }) => [seen, layers.map(({ lengths }) => [...lengths.data.slice(0, 2)])]);
    expect(keptOf(reports[0]!)).toEqual(keptOf(reports[1]!));
    const [one, both] = [await alone.state(), await together.state()];
    for (const [layer, { policy: carried }] of one.layers.entries()) {
      const other = both.layers[layer]!.policy;
      for (const [name, { data, shape }] of Object.entries(carried?.tokens ?? {})) {
        const slots = shape[3]!;
        const beside = other!.tokens[name]!;
        const lines = data.length / slots;
        // Those of the graph have room behind the newest token.
        const cut = Array.from({ length: lines }, (_, line) =>
          Array.from(beside.data.slice(line * beside.shape[3]!, line * beside.shape[3]! + slots)),
        ).flat();
        expect(maxDifference(data, cut)).toBeLessThan(1e-5);
      }
    }
    for (const texts of [alone, together, reader]) await texts.dispose();
  });

  it.each(all)('%s: goes on, to the bit, from any token', async (_name, policy) => {
    const ids = texts(1, 60, 5).data;
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    const reading = reader.read(1);
    (await reading.read(tokens(ids.slice(0, 13)))).dispose();
    await step(reading, ids.slice(13, 30));
    const saved = await reading.state();
    const fork = await reading.fork();
    const restored = reader.read(1);
    await step(restored, ids.slice(7, 50));
    restored.restore(saved);
    const whole = await step(reading, ids.slice(30));
    expect(await step(fork, ids.slice(30))).toEqual(whole);
    expect(await step(restored, ids.slice(30))).toEqual(whole);
    const { arrays } = engine.memory();
    for (const texts of [reading, fork, restored]) await texts.dispose();
    expect(engine.memory().arrays).toBeLessThanOrEqual(arrays);
    await reader.dispose();
  });

  it('holds no more than there is room for up to the next update, and gives it back', async () => {
    const { policy } = smallNamm({ nFft: 16, hopLength: 4, selection: { kind: 'topk', cacheSize: 4 } });
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    const reading = reader.read(1);
    const ids = texts(1, 90, 6).data;
    (await reading.read(tokens(ids.slice(0, 32)))).dispose();
    const [layers, heads, width, slots] = [2, 2, 4, 8 + 16];
    // Keys and values and the positions; 9 averages and 16 rows in tiles of 16 columns, and a table of them; how much was read.
    const bytes = (columns: number) =>
      4 * layers * heads * (slots * (2 * width + 1) + 16 * Math.ceil(columns / 16) * (9 + 16)) +
      4 * layers * 4 +
      8;
    for (const [index, id] of ids.slice(32, 47).entries()) {
      await step(reading, [id]);
      // With room for one more.
      expect(reading.stateBytes).toBe(bytes(8 + index + 2));
    }
    await step(reading, ids.slice(47, 48));
    expect(reading.stateBytes).toBeLessThan(bytes(slots) / 2);
    expect(reading.largestStateBytes).toBeGreaterThanOrEqual(bytes(slots));
    await reading.dispose();
    await reader.dispose();
  });
});

describe('room in the memory of kernels', () => {
  it('that was given back is taken again, neighbours together', () => {
    const kernels = new DecodingKernels();
    const pool = new PlacePool(kernels);
    const [a, b, c] = [pool.take(8), pool.take(16), pool.take(8)];
    pool.give(a, 8);
    pool.give(c, 8);
    expect(pool.take(12)).toBeGreaterThan(c);
    pool.give(b, 16);
    expect(pool.take(20)).toBe(a);
    expect(pool.take(12)).toBe(a + 20);
  });
});
