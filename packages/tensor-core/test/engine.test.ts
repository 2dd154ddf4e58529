import { afterAll, describe, expect, test } from 'vitest';
import {
  createEngine,
  DeviceArray,
  type Engine,
  EngineError,
  engineNames,
  full,
  InputError,
  ndarray,
  probeEngines,
  stopGradient,
  TraceError,
  tf,
  toOnnx,
  valueAndGradient,
  writeRows,
  zeros,
} from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
const onnx = engines.find(({ name }) => name === 'onnx')!;

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

const parameters = () => ({
  weight: ndarray([0.5, -1, 2, 1], [2, 2]),
  layers: [{ bias: ndarray([0.1, 0.2]) }],
});

function affine(p: { weight: tf.Tensor; layers: { bias: tf.Tensor }[] }, x: tf.Tensor) {
  return { y: tf.add(tf.matMul(x, p.weight), p.layers[0]!.bias), copies: [x, x] as const };
}

describe.each(engines.map((engine) => [engine.name, engine] as const))(
  'engine %s',
  (_name, engine: Engine) => {
    test('maps trees of arrays to trees of device arrays', async () => {
      const compiled = engine.compile(affine);
      const result = await compiled(parameters(), ndarray([1, 2], [1, 2]));
      expect(result.y).toBeInstanceOf(DeviceArray);
      const values = await result.y.data();
      expect(values[0]).toBeCloseTo(4.6, 5);
      expect(values[1]).toBeCloseTo(1.2, 5);
      expect(result.copies.length).toBe(2);
      expect(Array.from(await result.copies[1].data())).toEqual([1, 2]);
      for (const array of [result.y, ...result.copies]) array.dispose();
      await compiled.dispose();
    });

    test('traces once per signature', async () => {
      const compiled = engine.compile((x: tf.Tensor) => tf.square(x));
      for (const size of [3, 3, 5, 3]) (await compiled(full([size], 2))).dispose();
      (await compiled(2)).dispose();
      expect(compiled.signatures).toBe(3);
      await compiled.dispose();
    });

    test('takes numbers as scalars and gives scalars back', async () => {
      const compiled = engine.compile((x: tf.Tensor) => tf.add(x, 1));
      const result = await compiled(41);
      expect(result.shape).toEqual([]);
      expect(await result.item()).toBe(42);
      result.dispose();
      await compiled.dispose();
    });

    test('a donated array cannot be used again, its values live on in the result', async () => {
      const compiled = engine.compile((x: tf.Tensor) => tf.mul(x, 2), { donate: [0] });
      const { x } = engine.put({ x: ndarray([1, 2, 3]) });
      const first = await compiled(x);
      expect(x.isDisposed).toBe(true);
      await expect(compiled(x)).rejects.toThrow(/disposed or donated/);
      const second = await compiled(first);
      expect(Array.from(await second.data())).toEqual([4, 8, 12]);
      second.dispose();
      await compiled.dispose();
    });

    test('a donated array is overwritten in place only when nothing else reads it', async () => {
      const slots = ndarray([1], [1, 1, 1], 'int32');
      const row = ndarray([7, 8], [1, 1, 1, 2]);
      const target = () => engine.put({ t: ndarray([1, 2, 3, 4, 5, 6], [1, 1, 3, 2]) }).t;
      const write = (t: tf.Tensor, r: tf.Tensor, s: tf.Tensor) => writeRows(t, r, s);
      const reading = (t: tf.Tensor, r: tf.Tensor, s: tf.Tensor) => ({
        sum: tf.sum(t),
        after: writeRows(t, r, s),
        total: tf.sum(writeRows(t, r, s)),
      });
      const two = (t: tf.Tensor, u: tf.Tensor, r: tf.Tensor, s: tf.Tensor) => [
        writeRows(t, r, s),
        writeRows(u, tf.neg(r), s),
      ];
      const donating = { donate: [0] };
      const plain = engine.compile(write, donating);
      const memory = (array: DeviceArray) =>
        (array.storage() as unknown as { tensor?: { data?: unknown } }).tensor?.data;
      const given = target();
      const { arrays, bytes } = engine.memory();
      const lies = engine.name === 'onnx' ? memory(given) : undefined;
      const written = await plain(given, row, slots);
      expect(Array.from(await written.data())).toEqual([1, 2, 7, 8, 5, 6]);
      expect(given.isDisposed).toBe(true);
      expect(engine.memory()).toMatchObject({ arrays, bytes });
      if (lies) expect(memory(written)).toBe(lies);

      const keeping = engine.compile(write);
      const kept = await keeping(written, row, ndarray([0], [1, 1, 1], 'int32'));
      expect(Array.from(await written.data())).toEqual([1, 2, 7, 8, 5, 6]);
      expect(Array.from(await kept.data())).toEqual([7, 8, 7, 8, 5, 6]);

      const watched = engine.compile(reading, donating);
      const { sum, after, total } = await watched(written, row, slots);
      expect([await sum.item(), await total.item()]).toEqual([29, 29]);
      expect(Array.from(await after.data())).toEqual([1, 2, 7, 8, 5, 6]);

      const both = engine.compile(two, { donate: [0, 1] });
      const [up, down] = await both(after, after, row, slots);
      expect(Array.from(await up!.data())).toEqual([1, 2, 7, 8, 5, 6]);
      expect(Array.from(await down!.data())).toEqual([1, 2, -7, -8, 5, 6]);
      const twice = engine.compile(
        (t: tf.Tensor, r: tf.Tensor, s: tf.Tensor) => [writeRows(t, r, s), writeRows(t, tf.neg(r), s), r],
        donating,
      );
      const [first, second, same] = await twice(kept, row, slots);
      expect(Array.from(await first!.data())).toEqual([7, 8, 7, 8, 5, 6]);
      expect(Array.from(await second!.data())).toEqual([7, 8, -7, -8, 5, 6]);
      expect(Array.from(await same!.data())).toEqual([7, 8]);
      const host = await plain(ndarray([1, 2, 3, 4, 5, 6], [1, 1, 3, 2]), row, slots);
      expect(Array.from(await host.data())).toEqual([1, 2, 7, 8, 5, 6]);
      for (const array of [first!, second!, same!, host, sum, total, up!, down!]) array.dispose();
      await twice.dispose();
      expect(engine.memory().arrays).toBe(arrays - 1);
      for (const compiled of [plain, keeping, watched, both]) await compiled.dispose();
    });

    test('rows of several donated arrays, of several texts and heads, each come into their own', async () => {
      const ramp = (from: number, ...shape: number[]) =>
        ndarray(
          Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => from + index),
          shape,
        );
      const write = (caches: readonly tf.Tensor[], rows: readonly tf.Tensor[], slots: readonly tf.Tensor[]) =>
        caches.map((cache, index) => writeRows(cache, tf.neg(rows[index]!), slots[index]!));
      const caches = [ramp(0, 2, 2, 3, 2), ramp(100, 2, 1, 3, 2), ramp(200, 2, 2, 3, 2)];
      const rows = [ramp(1, 2, 2, 2, 2), ramp(51, 2, 1, 2, 2), ramp(91, 2, 2, 2, 2)];
      const slots = [
        ndarray([0, 2, 1, 0, 2, 1, 0, 1], [2, 2, 2], 'int32'),
        ndarray([1, 2, 2, 0], [2, 1, 2], 'int32'),
        ndarray([2, 1, 0, 2, 1, 0, 2, 0], [2, 2, 2], 'int32'),
      ];
      const expected = caches.map(({ data }, index) => {
        const result = Float32Array.from(data);
        const given = rows[index]!.data;
        slots[index]!.data.forEach((slot, at) => {
          const list = Math.floor(at / 2);
          for (const i of [0, 1]) result[(list * 3 + slot) * 2 + i] = -given[at * 2 + i]!;
        });
        return [...result];
      });
      const donating = engine.compile(write, { donate: [0] });
      const written = await donating(engine.put(caches), rows, slots);
      for (const [index, array] of written.entries()) {
        expect([...(await array.data())]).toEqual(expected[index]);
        array.dispose();
      }
      await donating.dispose();
    });

    test('frozen arguments give the same values, and other arrays are noticed', async () => {
      const compiled = engine.compile(affine, { freeze: [0] });
      const [p, q] = [parameters(), { ...parameters(), weight: ndarray([1, 0, 0, 1], [2, 2]) }];
      const x = ndarray([1, 2], [1, 2]);
      const results = [await compiled(p, x), await compiled(p, x), await compiled(q, x)];
      const values = await Promise.all(results.map(async ({ y }) => (await y.data())[0]!));
      expect(values[0]).toBeCloseTo(4.6, 5);
      expect(values[1]).toBe(values[0]);
      expect(values[2]).toBeCloseTo(1.1, 5);
      for (const { y, copies } of results) for (const array of [y, ...copies]) array.dispose();
      await compiled.dispose();
    });

    test('counts live arrays exactly over 1,000 steps', async () => {
      const before = engine.memory();
      const compiled = engine.compile(
        (state: { w: tf.Tensor; m: tf.Tensor }, x: tf.Tensor) => {
          const { value, gradients } = valueAndGradient(
            (w: tf.Tensor) => tf.mean(tf.square(tf.sub(tf.matMul(x, w), 1))),
            state.w,
          );
          const m = tf.add(tf.mul(state.m, 0.9), gradients as tf.Tensor);
          return { loss: value, state: { w: tf.sub(state.w, tf.mul(m, 0.01)), m } };
        },
        { donate: [0] },
      );
      let state = engine.put({ w: zeros([16, 8]), m: zeros([16, 8]) });
      const x = full([4, 16], 0.1);
      const counts = new Set<number>();
      for (let step = 0; step < 1000; step++) {
        const result = await compiled(state, x);
        state = result.state;
        result.loss.dispose();
        counts.add(engine.memory().arrays - before.arrays);
      }
      expect([...counts]).toEqual([2]);
      state.w.dispose();
      state.m.dispose();
      const { arrays, bytes } = before;
      expect(engine.memory()).toMatchObject({ arrays, bytes });
      await compiled.dispose();
    }, 120_000);

    test('stopGradient cuts the tape: parameters behind it have no gradient', async () => {
      const compiled = engine.compile((p: { a: tf.Tensor; b: tf.Tensor }) => {
        const { value, gradients } = valueAndGradient(
          (q: typeof p) => tf.sum(tf.mul(q.a, stopGradient(tf.mul(q.b, q.a)))),
          p,
        );
        if (gradients.b !== undefined) throw new Error('b must have no gradient');
        return { value, a: gradients.a as tf.Tensor };
      });
      const result = await compiled({ a: ndarray([1, 2]), b: ndarray([3, 4]) });
      expect(Array.from(await result.a.data())).toEqual([3, 8]);
      expect(await result.value.item()).toBe(19);
      result.a.dispose();
      result.value.dispose();
      await compiled.dispose();
    });

    test('validate names the output that is not finite', async () => {
      const compiled = engine.compile((x: tf.Tensor) => ({ fine: x, inner: { bad: tf.log(tf.sub(x, 1)) } }), {
        name: 'logarithm',
        validate: true,
      });
      await expect(compiled(ndarray([2, 0.5]))).rejects.toThrow(
        /Output 'inner\.bad' of 'logarithm' holds NaN at element 1/,
      );
      await compiled.dispose();
    });

    test('says what is wrong with an argument', async () => {
      const compiled = engine.compile(affine, { name: 'affine' });
      await expect(compiled({ weight: 'x' } as never, 1)).rejects.toThrow(
        "Expected an array or a number as argument 0 at 'weight' of 'affine', but got string x.",
      );
      const torn = { data: new Float32Array(3), shape: [2, 2], dtype: 'float32' } as const;
      await expect(compiled({ ...parameters(), weight: torn }, 1)).rejects.toThrow(
        /argument 0 at 'weight' of 'affine' has shape \[2, 2\], which needs 4 values, but holds 3/,
      );
      const other = await createEngine('cpu');
      const foreign = other.put({ x: zeros([1, 2]) });
      await expect(compiled(parameters(), foreign.x)).rejects.toThrow(InputError);
      await other.dispose();
    });
  },
);

describe('createEngine', () => {
  test('auto takes the best engine and says why', async () => {
    const engine = await createEngine();
    expect(engine.name).toBe('onnx');
    expect(engine.describe()).toMatchObject({
      name: 'onnx',
      device: 'cpu',
      reason: 'the best engine that loads here',
    });
    expect(engine.describe().runtime).toMatch(/^onnxruntime-node 1\./);
    await engine.dispose();
  });

  test('an unknown engine is refused with the list of engines', async () => {
    await expect(createEngine('cuda' as never)).rejects.toThrow(
      `There is no engine 'cuda'; choose auto, ${engineNames.join(', ')}.`,
    );
  });

  test('a missing library is one sentence with the command that helps', async () => {
    const probe = (await probeEngines()).find(({ name }) => name === 'tfjs-node')!;
    if (probe.available) {
      expect(probe.reason).toContain('tfjs-node');
      return;
    }
    await expect(createEngine('tfjs-node')).rejects.toThrow(EngineError);
    await expect(createEngine('tfjs-node')).rejects.toThrow(/npm install @tensorflow\/tfjs-node/);
  });
});

describe('tracing', () => {
  test('an op outside the table fails with its name, the function and a hint', async () => {
    const compiled = onnx.compile((x: tf.Tensor) => tf.einsum('ij->ji', x), { name: 'flipped' });
    await expect(compiled(zeros([2, 3]))).rejects.toThrow(
      "The op 'Einsum' in 'flipped' cannot become part of a graph; write it as tf.transpose, tf.reshape and tf.matMul.",
    );
  });

  test('reading a value while tracing is refused', async () => {
    const compiled = onnx.compile((x: tf.Tensor) => tf.scalar(x.dataSync()[0]!), { name: 'peeking' });
    await expect(compiled(zeros([2]))).rejects.toThrow(TraceError);
    await expect(compiled(zeros([2]))).rejects.toThrow(/while 'peeking' was traced/);
  });

  test('a failed trace leaves the engine usable', async () => {
    const bad = onnx.compile((x: tf.Tensor) => tf.einsum('ij->ji', x));
    await expect(bad(zeros([2, 3]))).rejects.toThrow();
    const good = onnx.compile((x: tf.Tensor) => tf.transpose(x));
    expect((await good(zeros([2, 3]))).shape).toEqual([3, 2]);
  });

  test('toOnnx writes a model that ONNX Runtime runs', async () => {
    const model = toOnnx(affine as never, [parameters(), ndarray([1, 2], [1, 2])], {
      freeze: [0],
      name: 'affine',
    });
    expect(model.inputs.map(({ shape }) => shape)).toEqual([[1, 2]]);
    expect(model.outputs.map(({ path }) => path)).toEqual(['y', 'copies.0', 'copies.1']);
    const ort = await import('onnxruntime-node');
    const session = await ort.InferenceSession.create(model.bytes);
    const feeds = { [model.inputs[0]!.name]: new ort.Tensor('float32', Float32Array.of(1, 2), [1, 2]) };
    const result = await session.run(feeds);
    expect((result[model.outputs[0]!.name]!.data as Float32Array)[0]).toBeCloseTo(4.6, 5);
  });
});
