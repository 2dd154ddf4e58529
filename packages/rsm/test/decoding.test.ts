import { createDecoder, stateBytes } from '@palimpsest/lm';
import {
  createEngine,
  type Engine,
  type NDArray,
  ndarray,
  takeToHost,
  tf,
  treeLeaves,
} from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { RsmOptions } from '../src/config.js';
import { CausalDecoder } from '../src/decoder/causal-decoder.js';
import type { RecomputingDecoder } from '../src/decoder/recomputing-decoder.js';
import { callPrefix } from '../src/forms/prefix.js';
import { initialMemory } from '../src/memory/slots.js';
import type { RsmParams } from '../src/parameters.js';
import { createRsmModel, type RsmModel } from '../src/sequence-model.js';
import { type RsmState, stateBytesOf } from '../src/state.js';
import { lively, randomTokens, small, smallModel, wirings } from './support/models.js';

const engines = await Promise.all((['cpu', 'onnx'] as const).map((name) => createEngine(name)));
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});
const [, onnx] = engines;

const cases = engines.flatMap((engine) =>
  Object.entries(wirings)
    .filter(([wiring]) => !wiring.endsWith('sliding window'))
    .filter(
      ([wiring]) =>
        engine.name === 'cpu' || ['parallel', 'shared memory', 'sync', 'rotary positions'].includes(wiring),
    )
    .flatMap(([wiring, options]) =>
      (['graph', 'host'] as const).map((form) => [engine.name, wiring, form, engine, options] as const),
    ),
);
const LENGTH = 24;
const FLOAT32_ULP = 2 ** -23;
const ids = Array.from(randomTokens(1, LENGTH, small.vocabSize).data, Number);

/** Logits and states of the model's own step after every token. */
async function steps(engine: Engine, model: RsmModel, params: RsmParams<NDArray>) {
  const run = engine.compile((weights: RsmParams, token: tf.Tensor1D, state: RsmState) => {
    const { logits, state: next } = model.step(weights, token, state);
    return { logits: logits as tf.Tensor, state: next };
  });
  const init = engine.compile((weights: RsmParams) => model.initState(weights, 1));
  let state = await takeToHost(await init(params));
  const results: { logits: NDArray; state: unknown }[] = [];
  for (const id of ids) {
    const result = await takeToHost(await run(params, ndarray(Int32Array.of(id), [1], 'int32'), state));
    results.push(result);
    ({ state } = result);
  }
  await run.dispose();
  await init.dispose();
  return results;
}

function expectClose(actual: Float32Array, expected: NDArray, tolerance = 2e-5) {
  const scale = Math.max(1, ...expected.data.map((value) => Math.abs(Number(value))));
  expect(actual.length).toBe(expected.data.length);
  actual.forEach((value, index) => {
    expect(Math.abs(value - Number(expected.data[index]))).toBeLessThan(tolerance * scale);
  });
}

describe('cached decoding', () => {
  it.each(cases)(
    'on %s, %s, by the %s: equals the step in logits and state, also around prompts',
    async (_name, _wiring, tokens, engine, options) => {
      const model = smallModel(options);
      const params = lively(model);
      const expected = await steps(engine, model, params);
      const before = engine.memory().arrays;
      const decoder = await CausalDecoder.create(engine, model.options, params, { tokens });
      expect(decoder.runsOn).toBe(tokens);
      for (const prompts of [
        [],
        [[0, 7]],
        [
          [3, 5],
          [9, 12],
        ],
      ] as const) {
        await decoder.reset();
        for (let place = 0; place < LENGTH; ) {
          const size = prompts.find(([from]) => from === place)?.[1] ?? 1;
          const logits = await decoder.read(ids.slice(place, place + size));
          place += size;
          expectClose(logits, expected[place - 1]!.logits);
        }
        expectSameState(await decoder.state(), expected.at(-1)!.state, model);
      }
      await decoder.dispose();
      expect(engine.memory().arrays).toBe(before);
    },
  );

  it.each(cases.filter(([name]) => name === 'onnx'))(
    'on %s, %s, by the %s: goes on bit by bit from every place, here and elsewhere, and forks do not meet',
    async (_name, _wiring, tokens, engine, options) => {
      const model = smallModel(options);
      const params = lively(model);
      const create = () => CausalDecoder.create(engine, model.options, params, { tokens });
      const [whole, other] = [await create(), await create()];
      const uninterrupted: Float32Array[] = [];
      for (const id of ids) uninterrupted.push(await whole.read([id]));
      await whole.reset();
      for (let place = 0; place < LENGTH; place++) {
        const saved = await whole.state();
        const fork = await whole.fork();
        await other.restore(saved);
        expect(await fork.read([(ids[place]! + 1) % small.vocabSize])).not.toEqual(uninterrupted[place]);
        expect(await other.read([ids[place]!])).toEqual(uninterrupted[place]);
        expect(await whole.read([ids[place]!])).toEqual(uninterrupted[place]);
        await fork.restore(saved);
        expect(await fork.read([ids[place]!])).toEqual(uninterrupted[place]);
        await fork.dispose();
      }
      for (const decoder of [whole, other]) await decoder.dispose();
    },
  );

  it('decodes on the processor by default where it can, and says what it cannot', async () => {
    const create = (options: Partial<RsmOptions>, more: object = {}) => {
      const model = smallModel(options);
      return CausalDecoder.create(onnx!, model.options, lively(model), more);
    };
    const forms = [await create({}), await create({ hiddenSize: 6 })];
    expect(forms.map(({ runsOn }) => runsOn)).toEqual(['host', 'graph']);
    for (const decoder of forms) await decoder.dispose();
    await expect(create({ hiddenSize: 6 }, { tokens: 'host' })).rejects.toThrow(
      'take a hiddenSize and an MLP width that are multiples of 4',
    );
    await expect(create({ preset: 'parity' })).rejects.toThrow(
      "The preset 'parity' cannot be decoded from caches",
    );
    await expect(create({ slidingWindow: 2 })).rejects.toThrow('sees whole chunks');
  });

  it('in 8 bits gives nearly the same logits, and restores and forks bit for bit', async () => {
    const model = smallModel({ hiddenSize: 16, numHeads: 2 });
    const params = lively(model, 3);
    const { windowSize, vocabSize } = model.options;
    const tokens = Array.from({ length: 2 * windowSize + 1 }, (_, i) => (7 * i) % vocabSize);
    const [exact, bytes] = await Promise.all(
      ([32, 8] as const).map((bits) => createDecoder(onnx!, model, params, { bits })),
    );
    for (const token of tokens) {
      const [own, other] = [await exact!.read([token]), await bytes!.read([token])];
      const off = Math.max(...own.map((logit, i) => Math.abs(logit - other[i]!)));
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(0.05 * Math.max(...own.map(Math.abs)));
    }
    const kept = await bytes!.state();
    const fork = await bytes!.fork();
    const logits = await bytes!.read([1]);
    expect(await fork.read([1])).toEqual(logits);
    await bytes!.restore(kept);
    expect(await bytes!.read([1])).toEqual(logits);
    for (const decoder of [exact, bytes, fork]) await decoder!.dispose();
    await expect(
      CausalDecoder.create(onnx!, model.options, params, { tokens: 'graph', bits: 8 }),
    ).rejects.toThrow(
      'Weights of 8 bits are read on the processor, and not by the graph; leave tokens away.',
    );
  });

  it('on the processor equals the graph for sizes at the edge of a vector', async () => {
    const edges: Partial<RsmOptions>[] = [
      { hiddenSize: 4, numHeads: 1, numMemorySlots: 1, windowSize: 2, vocabSize: 2, numLayers: 1 },
      { hiddenSize: 12, numHeads: 3, numMemorySlots: 5, windowSize: 9, vocabSize: 67 },
      { hiddenSize: 40, numHeads: 2, numMemorySlots: 6, windowSize: 33, vocabSize: 5, positions: 'rotary' },
      { hiddenSize: 12, numHeads: 4, windowSize: 5 },
      { hiddenSize: 12, numHeads: 2, windowSize: 6, positions: 'rotary' },
      { hiddenSize: 28, numHeads: 2, windowSize: 4, positions: 'rotary' },
    ];
    for (const options of edges) {
      const model = smallModel(options);
      const params = lively(model, 3);
      const { windowSize, vocabSize } = model.options;
      const [host, graph] = await Promise.all(
        (['host', 'graph'] as const).map((tokens) =>
          CausalDecoder.create(onnx!, model.options, params, { tokens }),
        ),
      );
      for (let place = 0; place < 2 * windowSize + 1; place++) {
        const token = [(7 * place) % vocabSize];
        expectClose(await host!.read(token), ndarray(await graph!.read(token), [vocabSize]));
      }
      // The graph reads pieces of a chunk at once, the processor token by token, both whole chunks.
      const prompt = Array.from({ length: 3 * windowSize + 1 }, (_, place) => (5 * place) % vocabSize);
      expectClose(await host!.read(prompt), ndarray(await graph!.read(prompt), [vocabSize]));
      const kept = await host!.state();
      expectSameState(kept, await graph!.state(), model);
      await graph!.restore(kept);
      const next = await host!.read([1]);
      expectClose(next, ndarray(await graph!.read([1]), [vocabSize]));
      await host!.restore(kept);
      expect(await host!.read([1])).toEqual(next);
      await host!.dispose();
      await graph!.dispose();
    }
  });

  it.each(['host', 'graph'] as const)('by the %s holds the same memory over 1,000 tokens', async (tokens) => {
    const model = createRsmModel({ ...small, hiddenSize: 64, windowSize: 64, numLayers: 4 });
    const decoder = await CausalDecoder.create(onnx!, model.options, lively(model), { tokens });
    for (let place = 0; place < 128; place++) await decoder.read([place % 11]);
    const { arrays, bytes } = onnx!.memory();
    for (let place = 128; place < 1000; place++) await decoder.read([place % 11]);
    await decoder.read(Array.from({ length: 64 - (1000 % 64) }, () => 3));
    expect(onnx!.memory()).toMatchObject({ arrays, bytes });
    await decoder.dispose();
  });
});

/** States have the same leaves, and equal values where a value means something. */
function expectSameState(actual: unknown, expected: unknown, { options }: RsmModel) {
  const leaves = treeLeaves<NDArray>(actual);
  const others = new Map(treeLeaves<NDArray>(expected).map(({ path, leaf }) => [path, leaf]));
  expect(new Set(leaves.map(({ path }) => path))).toEqual(new Set(others.keys()));
  for (const { path, leaf } of leaves) {
    const other = others.get(path)!;
    expect([path, leaf.shape, leaf.dtype]).toEqual([path, other.shape, other.dtype]);
    // Rows behind the position may hold anything.
    const rows = /keys|values|sources|hidden/.test(path) ? LENGTH % options.chunkSize : Infinity;
    if (rows !== Infinity) continue;
    // Sums of exponentials carry the rounding of their exponents, whose size the largest score (`peak`) tells.
    const peak = others.get(path.replace(/(?<=pool\.)(sum|total)$/, 'peak'));
    const size = peak && peak !== other ? Math.max(...peak.data.map((value) => Math.abs(Number(value)))) : 0;
    expectClose(Float32Array.from(leaf.data, Number), other, 2e-5 + 4 * FLOAT32_ULP * size);
  }
}

describe('the decoder of the wirings that leak', () => {
  it.each(['parity', 'legacy'] as const)(
    '%s: runs the window anew for every token with the memory that came back, and goes on bit by bit',
    async (preset) => {
      const model = smallModel({ preset, useGlobalSync: false, numHeads: 1 });
      const { windowSize } = model.options;
      const params = lively(model);
      const chunk = onnx!.compile((weights: RsmParams, window: tf.Tensor2D, memory: tf.Tensor) => {
        const count = tf.fill([1], window.shape[1], 'int32');
        return callPrefix(model.options, weights, window, count, memory);
      });
      const first = onnx!.compile((weights: RsmParams) => initialMemory(model.options, weights, 1));
      const decoder = (await model.decoder!(onnx!, params)) as RecomputingDecoder;
      const other = await decoder.fork();
      let memory = await takeToHost(await first(params));
      for (let place = 0; place < LENGTH; place++) {
        const window = ids.slice(Math.max(0, place + 2 - windowSize), place + 1);
        const tokens = ndarray(Int32Array.from(window), [1, window.length], 'int32');
        const expected = await takeToHost(await chunk(params, tokens, memory));
        await other.restore(await decoder.state());
        const logits = await decoder.read([ids[place]!]);
        expectClose(logits, expected.logits);
        expect(await other.read([ids[place]!])).toEqual(logits);
        ({ memory } = expected);
      }
      expectClose((await decoder.state()).memory.data as Float32Array, memory);
      expect(decoder.stateBytes).toBe(4 * (memory.data.length + windowSize - 1 + 1));
      for (const part of [decoder, other, chunk, first]) await part.dispose();
    },
  );
});

describe('the state', () => {
  it.each([...Object.entries(wirings), ['parity', { preset: 'parity', useGlobalSync: false }] as const])(
    'of %s has the bytes that the formula says',
    async (_wiring, options) => {
      const model = smallModel(options);
      expect(await stateBytes(model)).toBe(stateBytesOf(model.options));
      expect(await stateBytes(model, 3)).toBe(3 * stateBytesOf(model.options));
    },
  );

  it('holds 4 B L m d bytes of memory and 8 B L C d of keys and values, and what pooling needs', () => {
    const { options } = createRsmModel({ vocabSize: 65, hiddenSize: 256, numLayers: 8, windowSize: 256 });
    const memory = 4 * 8 * 32 * 256;
    const cache = 8 * 8 * 256 * 256;
    const pool = 4 * 8 * (32 * 256 + 2 * 32);
    expect(stateBytesOf(options)).toBe(memory + cache + pool + 4);
  });
});
