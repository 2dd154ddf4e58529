import type { TransformerParameters } from '@palimpsest/backbone';
import { Session, treeBytes } from '@palimpsest/lm';
import { createEngine, type Engine, ndarray, runOnce, type tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CachePolicy,
  createNAMM,
  manageTransformer,
  policyByName,
  policyModel,
  populationModel,
  type Schedule,
  softPolicyModel,
  transferNamm,
  type UpdateReport,
} from '../src/index.js';
import { livelyTransformer, maxDifference, smallNamm, texts } from './support/models.js';

const { model, params } = livelyTransformer();
const adaptive = { tailShare: 3, least: 4, hopLength: 4 };
const schedule: Schedule = { updateInterval: 16, maxTokensPerForward: 8, adaptive };
const { policy: namm } = smallNamm({}, 1);
const all: readonly (readonly [string, CachePolicy])[] = [
  ['namm', namm],
  ['namm, windows of two lengths', smallNamm({ scales: [4, 8] }).policy],
  ['namm, blocks before tokens', smallNamm({ hierarchy: { block: 4 } }, 1).policy],
  ['namm, scores of frames', smallNamm({ scorer: 'mlp', mlp: { depth: 2, bias: true } }).policy],
  ['h2o', policyByName('h2o', { size: 13 })],
  ['expected attention', policyByName('expectedAttention', { size: 13 })],
  ['namm, watched on the processor', smallNamm({ nFft: 16, hopLength: 4 }, 1).policy],
];

describe('updates that adapt to what is kept', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine('cpu');
  });
  afterAll(() => engine.dispose());

  /** A text read at once and token by token: logits of every token, and the reports of the updates. */
  async function read(policy: CachePolicy, ids: ReturnType<typeof texts>, asked = schedule, single = false) {
    const reader = manageTransformer(model, policy, asked).compile(engine, params);
    const reports: UpdateReport[] = [];
    const reading = reader.read(ids.shape[0]!, { onUpdate: (report) => reports.push(report) });
    const logits: number[] = [];
    for (let at = 0; single && at < ids.data.length; at++) {
      const part = await reading.read(ndarray(Int32Array.of(ids.data[at]!), [1, 1], 'int32'));
      logits.push(...(await part.data()));
      part.dispose();
    }
    if (!single) logits.push(...(await reading.readAll(ids)).data);
    // Attention that waited is taken in first.
    const state = await reading.state();
    const { stateBytes } = reading;
    await reading.dispose();
    await reader.dispose();
    return { logits, reports, stateBytes, state };
  }

  const longest = ({ layers }: UpdateReport) =>
    Math.max(...layers.flatMap(({ lengths }) => [...lengths.data]));

  it.each(all)('%s: come when they pay, in pieces and token by token', async (_name, policy) => {
    const ids = texts(1, 61, 2);
    const whole = await read(policy, ids);
    const due: number[] = [];
    for (let next = 4; next <= 61; ) {
      due.push(next);
      const kept = longest(whole.reports[due.length - 1]!);
      next = 4 * Math.ceil((next + Math.max(4, 3 * kept)) / 4);
    }
    expect(whole.reports.map(({ seen }) => seen)).toEqual(due);
    // Some intervals are longer than others, but for those of whoever keeps next to nothing.
    const intervals = new Set(due.map((seen, i) => seen - (due[i - 1] ?? 0)));
    expect(intervals.size).toBeGreaterThan(policy === namm ? 1 : 0);
    const single = await read(policy, ids, schedule, true);
    expect(single.reports.map(({ seen }) => seen)).toEqual(due);
    expect(maxDifference(whole.logits, single.logits)).toBeLessThan(5e-5);
    expect(treeBytes(whole.state)).toBe(whole.stateBytes);
  });

  it('are those of an interval where every interval pays', async () => {
    const ids = texts(1, 61, 4);
    const policy = policyByName('tova', { size: 16 });
    const fixed = await read(policy, ids, { updateInterval: 16, maxTokensPerForward: 8 });
    const same = await read(policy, ids, {
      ...schedule,
      adaptive: { tailShare: 1, least: 16, hopLength: 4 },
    });
    expect(same.logits).toEqual(fixed.logits);
    expect(same.reports.map(({ seen }) => seen)).toEqual([16, 32, 48]);
    expect(same.stateBytes).toBe(fixed.stateBytes + 4);
  });

  it.each(all)('%s: go on, to the bit, from what was saved', async (_name, policy) => {
    const ids = Array.from(texts(1, 60, 3).data);
    const form = policyModel(model, policy, schedule);
    const session = await Session.create({ engine, model: form, params });
    await session.append(ids.slice(0, 29));
    const [other] = await session.fork(1);
    const saved = await session.snapshot();
    await other!.append(ids.slice(40));
    await other!.restore(saved);
    for (const one of [session, other!]) {
      await one.append(ids.slice(29, 50));
      for (const id of ids.slice(50)) await one.append([id]);
    }
    expect(await other!.logits()).toEqual(await session.logits());
    expect(other!.stateBytes).toBe(session.stateBytes);
    await session.dispose();
    await other!.dispose();
  });

  it('fall in every text of a batch where they fall alone, behind padding of a hop too', async () => {
    const ids = texts(3, 60, 7);
    const reader = manageTransformer(model, namm, schedule).compile(engine, params);
    const reports: UpdateReport[] = [];
    const together = reader.read(3, { onUpdate: (report) => reports.push(report) });
    const mask = ndarray(
      Int32Array.from({ length: 180 }, (_, i) => (i >= 120 && i < 132 ? 0 : 1)),
      [3, 60],
      'int32',
    );
    const logits = await together.readAll(ids, mask);
    const width = model.vocabSize;
    for (const [row, from] of [
      [0, 0],
      [1, 0],
      [2, 12],
    ] as const) {
      const own = ndarray(ids.data.slice(row * 60 + from, (row + 1) * 60), [1, 60 - from], 'int32');
      const alone = await read(namm, own);
      const mine = reports.filter(({ due }) => due![row]);
      expect(mine.map(({ seen }) => seen - from)).toEqual(alone.reports.map(({ seen }) => seen));
      const rows = logits.data.subarray((row * 60 + from) * width, (row + 1) * 60 * width);
      expect(maxDifference(rows, alone.logits)).toBeLessThan(2e-5);
    }
    // Some update was not for all of them.
    expect(reports.some(({ due }) => due!.includes(false))).toBe(true);
    await expect(
      reader.read(1).readAll(texts(1, 8), ndarray(Int32Array.of(0, 0, 1, 1, 1, 1, 1, 1), [1, 8], 'int32')),
    ).rejects.toThrow('multiple of the hopLength 4');
    await together.dispose();
    await reader.dispose();
  });

  it('are what the options of a policy say, transferred and in the form of the published program', async () => {
    const { config, vector } = smallNamm({ adaptive: { tailShare: 0.25 } });
    expect(config.adaptive).toEqual({ tailShare: 0.25, least: 32 });
    const { schedule: own } = transferNamm({ config, parameters: vector }, model);
    expect(own.adaptive).toEqual({ tailShare: 0.25, least: 32, hopLength: 4 });
    const options = { nFft: 8, hopLength: 4, recencyEmbedDim: 4, bam: { hiddenDim: 6 }, normalise: false };
    // Zero parameters keep all: every update has half as many tokens more than the one before it.
    const seed = createNAMM({
      ...options,
      updateInterval: 16,
      maxTokensPerForward: 8,
      adaptive: { least: 8 },
      engine,
    });
    const due: number[] = [];
    for (let tokens = 4; tokens <= 60; tokens += 4) {
      const row = ndarray(new Float32Array(tokens * 2), [1, tokens, 2]);
      const attention = ndarray(new Float32Array(tokens * 4).fill(0.1), [1, tokens, 4]);
      const [, scores] = await seed.forward({ key: row, value: row }, attention, { returnScores: true });
      if (scores) due.push(tokens);
    }
    expect(due).toEqual([8, 16, 24, 36, 56]);
    await seed.dispose();
  });

  it('are refused where nothing could follow them', async () => {
    const { config } = smallNamm({ adaptive: {} });
    expect(() => populationModel(model, params, config)).toThrow('looked through together');
    expect(() => softPolicyModel(model, { config })).toThrow('adapt to nothing');
    expect(() => smallNamm({ adaptive: {}, eviction: 'parity' })).toThrow(/^adaptive is ours/);
    const form = policyModel(model, namm, schedule);
    const forward = runOnce(
      engine,
      (tree: TransformerParameters, tokens: tf.Tensor2D) =>
        form.forward(tree, tokens, form.initState(tree, 1), { training: false }).logits,
      params,
      texts(1, 8),
    );
    await expect(forward).rejects.toThrow('which no graph knows beforehand');
    const reader = manageTransformer(model, all[3]![1], schedule).compile(engine, params);
    expect(() => reader.read(2)).toThrow('read its texts one by one');
    await reader.dispose();
    const { state } = await read(namm, texts(1, 20), { updateInterval: 16, maxTokensPerForward: 8 });
    const other = manageTransformer(model, namm, schedule).compile(engine, params);
    const reading = other.read(1);
    expect(() => reading.restore(state)).toThrow('updates are at a fixed interval');
    await reading.dispose();
    await other.dispose();
  });
});
