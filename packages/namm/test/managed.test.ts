import type { TransformerParameters } from '@palimpsest/backbone';
import { Session } from '@palimpsest/lm';
import { createEngine, type Engine, ndarray, runOnce, type tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CachePolicy,
  fullPolicy,
  keyNormPolicy,
  manageTransformer,
  policies,
  policyByName,
  policyModel,
  type UpdateReport,
} from '../src/index.js';
import { livelyTransformer, maxDifference, smallNamm, texts } from './support/models.js';

const schedule = { updateInterval: 16, maxTokensPerForward: 8 };
const { model, params } = livelyTransformer();
const budget = { size: 9 };
const all: readonly (readonly [string, CachePolicy])[] = [
  ...Object.keys(policies).map((name) => [name, policyByName(name, budget)] as const),
  ['namm', smallNamm().policy],
  ['namm, at most 6', smallNamm({ selection: { cacheSize: 6 } }).policy],
  ['namm, scores of frames', smallNamm({ scorer: 'mlp', mlp: { depth: 2, bias: true } }).policy],
  ['namm, windows of two lengths', smallNamm({ scales: [4, 8] }).policy],
  ['namm, watched on the processor', smallNamm({ nFft: 16, hopLength: 4 }).policy],
  ['namm, topk', smallNamm({ selection: { kind: 'topk', cacheSize: 7 } }).policy],
  ['a share of the tokens', policyByName('h2o', { ratio: 0.7 })],
  ['a budget for every head', policyByName('l2', { size: [5, 12] })],
  ['a budget that heads share', policyByName('tova', { size: 8, shared: true })],
];

describe.each(['cpu', 'onnx'] as const)('on %s', (name) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(name, { threads: 1 });
  });
  afterAll(() => engine.dispose());

  async function readWhole(
    policy: CachePolicy,
    ids: ReturnType<typeof texts>,
    onUpdate?: (r: UpdateReport) => void,
  ) {
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    const reading = reader.read(ids.shape[0]!, onUpdate ? { onUpdate } : {});
    const logits = await reading.readAll(ids);
    const bytes = reading.stateBytes;
    await reading.dispose();
    await reader.dispose();
    return { logits: logits.data, bytes };
  }

  it.each(all)('%s: what left the cache is as if it were masked in a full one', async (_name, policy) => {
    const ids = texts(1, 55);
    const reports: UpdateReport[] = [];
    const { logits } = await readWhole(policy, ids, (report) => reports.push(report));
    expect(reports.map(({ seen }) => seen)).toEqual([16, 32, 48]);
    // The form that trains keeps every entry in place and hides those that are gone.
    const form = policyModel(model, policy, schedule);
    const masked = await runOnce(
      engine,
      (tree: TransformerParameters, tokens: tf.Tensor2D) =>
        form.forward(tree, tokens, form.initState(tree, 1), { training: false }).logits,
      params,
      ids,
    );
    expect(maxDifference(logits, masked.data)).toBeLessThan(2e-5);
    const { logits: full } = await readWhole(fullPolicy(), ids);
    expect(maxDifference(logits, full)).toBeGreaterThan(1e-3);
  });

  it.each(all)('%s: a prompt in pieces is what its tokens are one by one', async (_name, policy) => {
    const ids = texts(1, 41, 2);
    const { logits: whole } = await readWhole(policy, ids);
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    const reading = reader.read(1);
    const single: number[] = [];
    for (const id of ids.data) {
      const logits = await reading.read(ndarray(Int32Array.of(id), [1, 1], 'int32'));
      single.push(...(await logits.data()));
      logits.dispose();
    }
    expect(maxDifference(whole, single)).toBeLessThan(5e-5);
    await reading.dispose();
    await reader.dispose();
  });

  it.each(all)('%s: goes on from what was saved in the middle of a piece', async (_name, policy) => {
    const ids = Array.from(texts(1, 40, 3).data);
    const form = policyModel(model, policy, schedule);
    const session = await Session.create({ engine, model: form, params });
    await session.append(ids.slice(0, 21));
    const [other] = await session.fork(1);
    const saved = await session.snapshot();
    await session.append(ids.slice(21));
    const whole = await session.logits();
    await other!.append(ids.slice(21));
    expect(maxDifference(await other!.logits(), whole)).toBeLessThan(2e-5);
    await other!.restore(saved);
    for (const id of ids.slice(21)) await other!.append([id]);
    expect(maxDifference(await other!.logits(), whole)).toBeLessThan(5e-5);
    await session.dispose();
    await other!.dispose();
  });

  it('a text in a batch, and behind padding, is what it is alone', async () => {
    const { policy } = smallNamm();
    const ids = texts(3, 40, 7);
    const own = (row: number, from = 0) =>
      ndarray(ids.data.slice(row * 40 + from, (row + 1) * 40), [1, 40 - from], 'int32');
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    const together = reader.read(3);
    const mask = ndarray(
      Int32Array.from({ length: 120 }, (_, i) => (i >= 80 && i < 96 ? 0 : 1)),
      [3, 40],
      'int32',
    );
    const logits = await together.readAll(ids, mask);
    const width = model.vocabSize;
    for (const [row, from] of [
      [0, 0],
      [1, 0],
      [2, 16],
    ] as const) {
      const { logits: alone } = await readWhole(policy, own(row, from));
      const rows = logits.data.subarray((row * 40 + from) * width, (row + 1) * 40 * width);
      expect(maxDifference(rows, alone)).toBeLessThan(2e-5);
    }
    await together.dispose();
    await reader.dispose();
  });

  it('zero parameters keep everything, and logits are those of the full cache', async () => {
    const ids = texts(2, 40, 4);
    const { policy } = smallNamm({}, 1, 0);
    const reports: UpdateReport[] = [];
    const { logits } = await readWhole(policy, ids, (report) => reports.push(report));
    const { logits: full } = await readWhole(fullPolicy(), ids);
    expect(maxDifference(logits, full)).toBeLessThan(1e-6 * 10);
    for (const { seen, layers } of reports) {
      for (const { lengths } of layers) expect([...lengths.data]).toEqual([seen, seen, seen, seen]);
    }
  });

  it('keeps the newest token, original positions in order, and no more than a budget', async () => {
    for (const [, policy] of all) {
      await readWhole(policy, texts(2, 48, 9), ({ seen, layers }) => {
        for (const { kept, positions, lengths } of layers) {
          const [batch, heads, most] = kept.shape as [number, number, number];
          const slots = positions.shape[2]!;
          for (let list = 0; list < batch * heads; list++) {
            const length = lengths.data[list]!;
            const own = Array.from(kept.data.subarray((list + 1) * most - length, (list + 1) * most));
            const places = own.map((slot) => positions.data[list * slots + slot]!);
            expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
            expect(places.at(-1)).toBe(seen - 1);
            if (policy.retention.kind === 'budget' && policy.retention.budget.size === 9) {
              expect(length).toBeLessThanOrEqual(9);
            }
          }
        }
      });
    }
  });

  it('gives memory back: the arrays are as large as what they hold', async () => {
    const reader = manageTransformer(model, policyByName('recency', { size: 16 }), schedule).compile(
      engine,
      params,
    );
    const reading = reader.read(1);
    const read = async (count: number) => (await reading.read(texts(1, count, 5))).dispose();
    await read(15);
    const [layers, heads, width] = [2, 2, 4];
    const entry = layers * heads * (2 * 4 * width);
    // The last token came alone, into room up to the next update.
    expect(reading.keyValueBytes).toBe(16 * entry);
    await read(33);
    expect(reading.keyValueBytes).toBe(16 * entry);
    await read(15);
    expect(reading.keyValueBytes).toBe(32 * entry);
    await read(1);
    expect(reading.keyValueBytes).toBe(16 * entry);
    const { arrays } = engine.memory();
    await reading.dispose();
    expect(engine.memory().arrays).toBeLessThan(arrays);
    await reader.dispose();
  });

  it('notes how large the memory was at its most: before what waits is taken in, before updates, and restored', async () => {
    const { policy } = smallNamm({ selection: { cacheSize: 3 } });
    const reader = manageTransformer(model, policy, schedule).compile(engine, params);
    const ids = texts(1, 32, 5).data;
    const at = (from: number, to: number) =>
      ndarray(Int32Array.from(ids.slice(from, to)), [1, to - from], 'int32');
    const reading = reader.read(1);
    const read = async (from: number, to: number) =>
      (await reading.read(at(from, to), undefined, 'later')).dispose();
    await read(0, 12);
    const waited: number[] = [];
    for (let token = 12; token < 16; token++) {
      await read(token, token + 1);
      waited.push(reading.stateBytes);
    }
    // The rows of the last of four tokens, 4 bytes for each slot of a key/value head, are taken in before it is seen from outside.
    const row = waited[1]! - waited[0]!;
    expect(row).toBe(waited[2]! - waited[1]!);
    expect(reading.largestStateBytes).toBeGreaterThanOrEqual(waited[2]! + row);
    // An update that a reading left for later.
    const before = reading.stateBytes;
    const saved = await reading.state();
    await reading.update();
    expect(reading.stateBytes).toBeLessThan(before);
    expect(reading.largestStateBytes).toBeGreaterThanOrEqual(before);
    // Another text begins with what it is given.
    const other = reader.read(1);
    other.restore(saved);
    const given = other.stateBytes;
    await other.update();
    expect(other.stateBytes).toBeLessThan(given);
    expect(other.largestStateBytes).toBeGreaterThanOrEqual(given);
    other.reset();
    expect(other.largestStateBytes).toBe(0);
    for (const one of [reading, other, reader]) await one.dispose();
  });

  it('leaves layers alone that a policy does not manage', async () => {
    const policy = keyNormPolicy({ budget: { size: 5 }, skipLayers: [0] });
    const reports: UpdateReport[] = [];
    await readWhole(policy, texts(1, 32), (report) => reports.push(report));
    expect(reports.map(({ layers }) => layers.map(({ layer }) => layer))).toEqual([[1], [1]]);
  });
});
