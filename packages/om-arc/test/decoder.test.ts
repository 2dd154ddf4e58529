import { createDecoder, LongTextDecoder, Session } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, ndarray, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefersHost } from '../src/decoder/host-weights.js';
import { createOmModel, type OmOptions, resolveConfig } from '../src/index.js';
import { distance, lively, randomIds, small } from './support/variants.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

const base: OmOptions = { ...small, dimsKey: [4, 8], dimsValue: [8, 4], dimHidden: 16 };
const variants: Readonly<Record<string, Partial<OmOptions>>> = {
  default: {},
  'residual state, swish, 1-2-2-1': {
    stateUpdate: 'residual',
    activation: 'swish',
    mlp1221: true,
    rope: [null, null],
  },
  'gated state, swiglu': { stateUpdate: 'gated', stateGateBias: 1.5, activation: 'swiglu', attnProjRank: 4 },
  'gated feed-forward, no n-grams': { activation: 'ffngeglu', initNgrams: [] },
  'abs, published rotary': {
    activation: 'abs',
    ropeVariant: 'reference',
    rope: [{ dim: 4, pct: 1, base: 2 }, null],
  },
  'relu, a single state vector': { activation: 'relu', stateLen: 1, numLayers: 1 },
};

describe.each(Object.entries(variants))('the decoder on the processor, %s', (_name, variant) => {
  const model = createOmModel({ ...base, ...variant });
  const params = lively((rng) => model.init(rng));
  const ids = Array.from(randomIds(1, 17, base.vocabSize).data);

  it('gives the logits and the memory of the compiled step', async () => {
    const host = await createDecoder(engine, model, params);
    const { decoder: _own, ...plain } = model;
    const graph = await createDecoder(engine, plain, params, { chunks: [] });
    for (const part of [ids.slice(0, 3), ids.slice(3, 4), ids.slice(4, 11), ids.slice(11)]) {
      const [a, b] = [await host.read(part), await graph.read(part)];
      expect(distance(a, b)).toBeLessThan(2e-4);
    }
    const [a, b] = [await host.state(), await graph.state()] as { states: NDArray; position: NDArray }[];
    expect(a!.position.data).toEqual(b!.position.data);
    expect(distance(a!.states.data, b!.states.data)).toBeLessThan(2e-4);
    await graph.restore(a);
    expect(distance(await graph.read(ids), await host.read(ids))).toBeLessThan(2e-4);
    await host.dispose();
    await graph.dispose();
  }, 120_000);

  it('gives nearly these logits with weights, keys and values of 8 bits, however the text is cut', async () => {
    const [exact, bytes, again] = await Promise.all(
      ([32, 8, 8] as const).map((bits) => createDecoder(engine, model, params, { bits })),
    );
    // Weights of such sizes, drawn and never trained, make more of every difference with every token.
    for (const id of ids.slice(0, 3)) {
      const [expected, got] = [await exact!.read([id]), await bytes!.read([id])];
      const off = distance(got, expected);
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(0.1 * Math.max(...expected.map(Math.abs)));
    }
    const got = await bytes!.read(ids.slice(3));
    let last = new Float32Array();
    for (const id of ids) last = (await again!.read([id])) as Float32Array<ArrayBuffer>;
    expect(last).toEqual(got);
    for (const decoder of [exact, bytes, again]) await decoder!.dispose();
  });

  it.each([32, 8] as const)('restores and forks bit for bit, %i bits', async (bits) => {
    const decoder = await createDecoder(engine, model, params, { bits });
    await decoder.read(ids.slice(0, 8));
    const state = await decoder.state();
    const fork = await decoder.fork();
    const first = await decoder.read(ids);
    expect(await fork.read(ids)).toEqual(first);
    await decoder.restore(state);
    expect(await decoder.read(ids)).toEqual(first);
    await decoder.reset();
    expect(await decoder.read(ids.slice(0, 8))).not.toEqual(first);
    await fork.dispose();
    await decoder.dispose();
  });
});

it('is chosen for small plain models only', () => {
  expect(prefersHost(resolveConfig(base))).toBe(true);
  expect(prefersHost(resolveConfig({ ...base, cope: true }))).toBe(false);
  expect(prefersHost(resolveConfig({ ...base, dimHidden: 18 }))).toBe(false);
});

it.each([32, 8] as const)(
  'keeps a memory of the same size over a thousand tokens, and takes up a snapshot bit for bit, %i bits',
  async (bits) => {
    const model = createOmModel(base);
    const params = lively((rng) => model.init(rng));
    const session = await Session.create({ engine, model, params, seed: 3, bits });
    await session.prefill([1, 2, 3]);
    const bytes = session.stateBytes;
    for (let i = 0; i < 1000; i++) await session.next({ temperature: 1 });
    expect(session.stateBytes).toBe(bytes);
    const snapshot = await session.snapshot();
    const drawn = [];
    for (let i = 0; i < 12; i++) drawn.push((await session.next({ temperature: 1 })).id);
    await session.restore(snapshot);
    const again = [];
    for (let i = 0; i < 12; i++) again.push((await session.next({ temperature: 1 })).id);
    expect(again).toEqual(drawn);
    // What 8 bits hold is read by a session of 32 too.
    const other = await Session.create({ engine, model, params, seed: 3 });
    await other.restore(snapshot);
    expect(other.position).toBe(snapshot.position);
    await session.dispose();
    await other.dispose();
  },
);

it('refuses bits that there are not, models that have no decoder of 8 bits, and weights that are no numbers', async () => {
  const model = createOmModel(base);
  const params = lively((rng) => model.init(rng));
  await expect(createDecoder(engine, model, params, { bits: 4 as 8 })).rejects.toThrow(
    'Weights are decoded in 32 bits or in 8, but 4 was given.',
  );
  const unfit = createOmModel({ ...base, cope: true });
  await expect(createDecoder(engine, unfit, unfit.init(Rng.fromSeed(1)), { bits: 8 })).rejects.toThrow(
    "A model of the kind 'om-arc' with these options is not decoded in 8 bits; leave the bits of its weights away.",
  );
  (params.head.weight.data as Float32Array)[3] = Number.NaN;
  await expect(createDecoder(engine, model, params, { bits: 8 })).rejects.toThrow(
    'Weights that are not finite numbers cannot be read in 8 bits.',
  );
});

it('refuses a memory with a position or ids that there are not, and stays what it was', async () => {
  const model = createOmModel(base);
  const session = await Session.create({ engine, model, params: lively((rng) => model.init(rng)) });
  await session.prefill([1, 2, 3]);
  const snapshot = await session.snapshot();
  const logits = await session.logits();
  const { ids } = snapshot.state as Readonly<Record<string, NDArray<'int32'>>>;
  for (const [name, array] of [
    ['position', ndarray(Int32Array.of(-1), [1], 'int32')],
    ['position', ndarray(Int32Array.of(base.segmentLen), [1], 'int32')],
    [
      'ids',
      ndarray(
        ids!.data.map(() => base.vocabSize),
        ids!.shape,
        'int32',
      ),
    ],
  ] as const) {
    const damaged = { ...snapshot, state: { ...snapshot.state, [name]: array } };
    await expect(session.restore(damaged)).rejects.toThrow(
      'holds a position or ids that this model does not have',
    );
  }
  await session.restore(snapshot);
  expect(await session.logits()).toEqual(logits);
  await session.dispose();
});

it('opens the graph when texts that it would have read would have paid for it', async () => {
  const model = createOmModel(base);
  const params = lively((rng) => model.init(rng));
  const { decoder: _own, ...plain } = model;
  const { segmentLen } = resolveConfig(base);
  let opened = 0;
  const tokens = (await createDecoder(engine, model, params)) as LongTextDecoder;
  const lengths = { longText: 40, longBesideGraph: 2 * segmentLen, segmentLen };
  const decoder = LongTextDecoder.create(tokens, lengths, () => {
    opened += 1;
    return createDecoder(engine, plain, params, { chunks: [segmentLen] });
  });
  const read: number[] = [];
  for (const count of [9, 9, 9, 9, 9, 15, 20, 10]) {
    await decoder.read(Array.from(randomIds(1, count, base.vocabSize).data));
    read.push(opened);
  }
  // Texts of fewer than two segments (of 5 tokens) do not count: 15 + 20 + 10 are more than 40.
  expect(read).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
  await decoder.dispose();
});

it('hands long texts to a graph that all forks share, each with its own memory', async () => {
  const model = createOmModel(base);
  const params = lively((rng) => model.init(rng));
  const ids = Array.from(randomIds(1, 25, base.vocabSize).data);
  const { decoder: _own, ...plain } = model;
  let opened = 0;
  const whole = await createDecoder(engine, model, params);
  const { segmentLen } = resolveConfig(base);
  const tokens = (await createDecoder(engine, model, params)) as LongTextDecoder;
  const decoder = LongTextDecoder.create(tokens, { longText: 20, segmentLen }, () => {
    opened += 1;
    return createDecoder(engine, plain, params, { chunks: [segmentLen] });
  });
  await decoder.read(ids.slice(0, 5));
  const fork = await decoder.fork();
  const texts = [ids, ids.toReversed()];
  const logits = await Promise.all([decoder, fork].map((each, lane) => each.read(texts[lane]!)));
  expect(opened).toBe(1);
  for (const [lane, each] of [decoder, fork].entries()) {
    await whole.reset();
    await whole.read(ids.slice(0, 5));
    expect(distance(logits[lane]!, await whole.read(texts[lane]!))).toBeLessThan(2e-4);
    expect(distance(await each.read([1]), await whole.read([1]))).toBeLessThan(2e-4);
  }
  await decoder.dispose();
  expect(distance(await fork.read(ids), await whole.read(ids))).toBeLessThan(2e-4);
  await fork.dispose();
  await whole.dispose();
}, 120_000);
