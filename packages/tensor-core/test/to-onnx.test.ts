import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InputError, normalInit, Rng, tf, toOnnx, zeros } from '../src/index.js';

const rng = Rng.fromSeed(5);
const weights = {
  first: normalInit(rng, [40, 33], 1),
  second: normalInit(rng, [33, 40], 1),
  gain: normalInit(rng, [40], 1),
};
const product = (w: { first: tf.Tensor; second: tf.Tensor; gain: tf.Tensor }, x: tf.Tensor) =>
  tf.mul(tf.matMul(tf.matMul(x, w.first), w.second), w.gain);
const x = normalInit(rng, [2, 40], 1);

test('a model with its large arrays in a second file is the same model', async () => {
  const whole = toOnnx(product as never, [weights, x], { freeze: [0] });
  const split = toOnnx(product as never, [weights, x], { freeze: [0], externalData: 'product.data' });
  expect(whole.external).toBeUndefined();
  expect(split.external!.name).toBe('product.data');
  // Every array begins at a page.
  expect(split.external!.chunks.map(({ byteLength }) => byteLength)).toEqual([5280, 2912, 5280]);
  expect(split.external!.byteLength).toBe(8192 + 5280);
  expect(whole.bytes.length - split.bytes.length).toBeGreaterThan(10_000);

  const folder = await mkdtemp(join(tmpdir(), 'palimpsest-onnx-'));
  try {
    await writeFile(join(folder, 'whole.onnx'), whole.bytes);
    await writeFile(join(folder, 'split.onnx'), split.bytes);
    await writeFile(join(folder, 'product.data'), split.external!.chunks);
    const ort = await import('onnxruntime-node');
    const results = [];
    for (const file of ['whole.onnx', 'split.onnx']) {
      const session = await ort.InferenceSession.create(join(folder, file));
      const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', x.data, [2, 40]) };
      results.push(Array.from((await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array));
      await session.release();
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]!.some((value) => value !== 0)).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('weights that no single file can hold are refused with what to do, before anything is written', () => {
  // Fresh memory that nobody touches is never made.
  const tree = { w: zeros([2 ** 14, 2 ** 14 + 1]) };
  const write = () =>
    toOnnx(((p: { w: tf.Tensor }, y: tf.Tensor) => tf.matMul(y, p.w)) as never, [tree, zeros([1, 2 ** 14])], {
      freeze: [0],
    });
  expect(write).toThrow(InputError);
  expect(write).toThrow(/take 1\.0 GiB.*'externalData'/);
});

test('inputs and outputs are called by argument and path, and no two alike', async () => {
  const add = (w: tf.Tensor, memory: { a: { b: tf.Tensor } }, y: tf.Tensor) => ({
    next: { a: tf.add(tf.mul(w, y), memory.a.b) },
  });
  const args = [weights.gain, { a: { b: zeros([40]) } }, zeros([40])];
  const names = (argumentNames: string[]) => {
    const { inputs, outputs } = toOnnx(add as never, args, { freeze: [0], argumentNames });
    return [...inputs, ...outputs].map(({ name }) => name);
  };
  expect(names(['w', 'memory', 'y'])).toEqual(['memory.a.b', 'y', 'next.a']);
  expect(names(['w', '', ''])).toEqual(['a.b', 'input', 'next.a']);
  expect(names([])).toEqual(['in1.a.b', 'in2', 'next.a']);
  expect(() => names(['w', 'm', 'next.a'])).toThrow(/Two values .* 'next\.a'/);
  // A name of one's own is never that of a value inside.
  const { bytes } = toOnnx(add as never, args, { freeze: [0], argumentNames: ['w', 'v1', 'v2'] });
  const ort = await import('onnxruntime-node');
  const session = await ort.InferenceSession.create(bytes);
  const feed = (value: number) => new ort.Tensor('float32', new Float32Array(40).fill(value), [40]);
  const result = await session.run({ 'v1.a.b': feed(1), v2: feed(0) });
  expect(new Set(result['next.a']!.data as Float32Array)).toEqual(new Set([1]));
  await session.release();
});

test('a model says what its writer had to say', () => {
  const said = { description: 'Feed it well.', metadata: { author: 'nobody' } };
  const { bytes } = toOnnx(product as never, [weights, x], { freeze: [0], ...said });
  const text = new TextDecoder('latin1').decode(bytes);
  for (const word of ['Feed it well.', 'author', 'nobody']) expect(text).toContain(word);
});
