import { describe, expect, test } from 'vitest';
import { OnnxEngine } from '../src/engines/onnx.js';
import { loadNodeRuntime, type OnnxRuntime } from '../src/engines/onnx-runtime.js';
import { createEngine, type EngineName, full, InputError, normalInit, Rng, tf } from '../src/index.js';

const names: readonly EngineName[] = ['onnx', 'onnx-web'];

describe.each(names)('graphs of %s', (name) => {
  test('are counted, bounded, and rebuilt when they are needed again, also while others run', async () => {
    const engine = await createEngine(name, { graphBytes: 4e6 });
    const sum = engine.compile((x: tf.Tensor) => tf.sum(tf.mul(tf.add(x, 1), x)));
    const at = async (size: number) => {
      const result = await sum(full([size], 2));
      const value = await result.item();
      result.dispose();
      return value;
    };
    expect(engine.memory()).toEqual({ arrays: 0, bytes: 0, graphs: 0, graphBytes: 0 });
    for (let round = 0; round < 2; round++) {
      for (let size = 1; size <= 8; size++) expect(await at(size)).toBe(6 * size);
    }
    expect(sum.signatures).toBe(8);
    expect(engine.memory().graphs).toBeGreaterThan(0);
    expect(engine.memory().graphs).toBeLessThan(8);
    expect(engine.memory().graphBytes).toBeLessThanOrEqual(4e6);
    const sizes = Array.from({ length: 40 }, (_, index) => 1 + ((index * 5) % 12));
    expect(await Promise.all(sizes.map(at))).toEqual(sizes.map((size) => 6 * size));
    expect(engine.memory().graphBytes).toBeLessThanOrEqual(4e6);
    await sum.dispose();
    expect(engine.memory()).toEqual({ arrays: 0, bytes: 0, graphs: 0, graphBytes: 0 });
    await engine.dispose();
  });

  test('a donated state goes from graph to graph while they push each other out', async () => {
    const engine = await createEngine(name, { graphBytes: 0 });
    const add = engine.compile((total: tf.Tensor, x: tf.Tensor) => tf.add(total, tf.sum(x)), { donate: [0] });
    let total = engine.put({ total: full([3], 0) }).total;
    for (let step = 1; step <= 12; step++) total = await add(total, full([1 + (step % 4)], 1));
    expect(Array.from(await total.data())).toEqual([30, 30, 30]);
    expect(engine.memory().graphs).toBe(1);
    await engine.dispose();
  });

  test('disposing while a call is pending lets the call end', async () => {
    const engine = await createEngine(name);
    const square = engine.compile((x: tf.Tensor) => tf.square(x));
    const first = await square(full([2], 3));
    const pending = square(full([2], 4));
    await square.dispose();
    const second = await pending;
    expect([...(await first.data()), ...(await second.data())]).toEqual([9, 9, 16, 16]);
    expect(engine.memory().graphs).toBe(0);
    await engine.dispose();
  });

  test.each([0, 2 ** 30])(
    'frozen weights give the same numbers inside and outside of the graph (%i bytes)',
    async (bakedBytes) => {
      const engine = await createEngine(name, { bakedBytes });
      const plain = await createEngine('cpu');
      const rng = Rng.fromSeed(3);
      const weights = { table: normalInit(rng, [300, 64], 1), square: normalInit(rng, [64, 64], 1) };
      const fn = (w: { table: tf.Tensor; square: tf.Tensor }, x: tf.Tensor) =>
        tf.matMul(tf.matMul(x, w.table), tf.transpose(w.square));
      const frozen = engine.compile(fn, { freeze: [0] });
      const reference = plain.compile(fn);
      for (const rows of [1, 5]) {
        const x = normalInit(rng, [rows, 300], 1);
        const got = await (await frozen(weights, x)).data();
        const wanted = await (await reference(weights, x)).data();
        for (const [index, value] of wanted.entries()) expect(got[index]).toBeCloseTo(value, 3);
      }
      const others = { ...weights, square: full([64, 64], 0) };
      expect(Array.from(await (await frozen(others, full([1, 300], 1))).data())).toEqual(Array(64).fill(0));
      await engine.dispose();
      await plain.dispose();
    },
  );
});

test('weights outside of their graphs are not copied into them and one graph serves all weights', async () => {
  const weights = () => ({ w: full([512, 512], 1 / 512) });
  const held = async (bakedBytes: number) => {
    const engine = await createEngine('onnx', { bakedBytes });
    const product = engine.compile((p: { w: tf.Tensor }, x: tf.Tensor) => tf.matMul(x, p.w), { freeze: [0] });
    for (const tree of [weights(), weights()]) {
      expect((await (await product(tree, full([1, 512], 1))).data())[7]).toBeCloseTo(1, 5);
    }
    const { graphs, graphBytes } = engine.memory();
    await engine.dispose();
    return { graphs, graphBytes };
  };
  const [inside, outside] = [await held(2 ** 30), await held(0)];
  expect(inside.graphs).toBe(2);
  expect(outside.graphs).toBe(1);
  expect(inside.graphBytes - outside.graphBytes).toBeGreaterThan(2 ** 20);
});

test('a runtime that copies its inputs is given frozen weights beside the graph', async () => {
  const runtime = await loadNodeRuntime({ threads: 1 });
  const external: number[] = [];
  const copying: OnnxRuntime = {
    ...runtime,
    sharesMemory: false,
    createSession: (model, choices) => {
      external.push(...model.external.map(({ data }) => data.byteLength));
      return runtime.createSession(model, choices);
    },
  };
  const onnx = await createEngine('onnx');
  const engine = new OnnxEngine('onnx', copying, onnx.describe(), { graphBytes: 2 ** 30, bakedBytes: 0 });
  const product = engine.compile((w: tf.Tensor, x: tf.Tensor) => tf.matMul(x, w), { freeze: [0] });
  const weight = full([200, 100], 0.5);
  const first = await product(weight, full([1, 200], 1));
  weight.data.fill(0); // The runtime has a copy of its own.
  const second = await product(weight, full([1, 200], 1));
  expect([(await first.data())[99], (await second.data())[99]]).toEqual([100, 100]);
  expect(external).toEqual([80_000]);
  await engine.dispose();
  await onnx.dispose();
});

test.each(['graphBytes', 'bakedBytes'])('%s must be a number of bytes', async (option) => {
  for (const value of [-1, Number.NaN, '1GB' as unknown as number]) {
    await expect(createEngine('onnx', { [option]: value })).rejects.toThrow(InputError);
    await expect(createEngine('onnx', { [option]: value })).rejects.toThrow(option);
  }
});
