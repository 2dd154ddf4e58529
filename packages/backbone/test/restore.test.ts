import {
  createEngine,
  type DeviceArray,
  decodeSafetensors,
  encodeSafetensors,
  fromNDArray,
  type NDArray,
  ndarray,
  toNDArray,
  treeLeaves,
  treeMap,
  treeToRecord,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  livelyModel,
  maxDifference,
  piecewiseLogits,
  randomTokens,
  steppedLogits,
  withEngine,
} from './helpers.js';

async function toHost(tree: unknown): Promise<unknown> {
  const arrays = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree)) arrays.set(path, await leaf.toHost());
  return treeMap<DeviceArray, NDArray>(tree, (_leaf, path) => arrays.get(path)!);
}

describe.each([{}, { window: 4, sinks: 2 }, { evictable: true, keyValueHeads: 2 }])(
  'a cache of %j',
  (options) => {
    it('is saved in the middle of a text and goes on, on the same engine bit for bit and on another closely', async () => {
      const { model, params } = livelyModel(options);
      const tokens = randomTokens(2, 10);
      await withEngine('onnx', async (engine) => {
        const whole = await steppedLogits(engine, model, params, tokens);
        const head = { data: tokens.data, shape: [2, 10], dtype: 'int32' } as NDArray;
        const before = await piecewiseLogits(engine, model, params, head, [1, 1, 1, 1, 1, 1]);
        const host = await toHost(before.state);
        const file = encodeSafetensors(
          Object.fromEntries(
            Object.entries(treeToRecord<NDArray>(host)).map(([path, leaf]) => [path, fromNDArray(leaf)]),
          ),
        );
        const { tensors } = decodeSafetensors(file);
        const restored = treeMap<NDArray, NDArray>(host, (_leaf, path) => toNDArray(tensors.get(path)!));
        const after = await steppedLogits(engine, model, params, tokens, 6, restored);
        const tail = (values: Float32Array) =>
          [0, 1].flatMap((row) => [...values.subarray((row * 10 + 6) * 23, (row + 1) * 10 * 23)]);
        expect(tail(after.logits)).toEqual(tail(whole.logits));
        const other = await createEngine('cpu');
        const elsewhere = await steppedLogits(other, model, params, tokens, 6, restored);
        expect(maxDifference(tail(elsewhere.logits), tail(whole.logits))).toBeLessThan(3e-5);
        await other.dispose();
      });
    });

    it('keeps one text of a batch apart from the others', async () => {
      const { model, params } = livelyModel(options);
      const tokens = randomTokens(2, 8);
      await withEngine('onnx', async (engine) => {
        const both = await steppedLogits(engine, model, params, tokens);
        const second = ndarray(tokens.data.slice(8), [1, 8], 'int32');
        const alone = await steppedLogits(engine, model, params, second);
        expect(maxDifference(both.logits.slice(8 * 23), alone.logits)).toBeLessThan(1e-5);
      });
    });
  },
);

it('generating a thousand tokens leaves no array behind and keeps the state as large as it was', async () => {
  const { model, params } = livelyModel({ window: 6, sinks: 2 });
  await withEngine('onnx', async (engine) => {
    const weights = engine.put(params);
    const start = engine.compile((tree: typeof weights) => model.initState(tree as never, 1));
    const step = engine.compile(model.step, { donate: [2], freeze: [0] });
    let state: unknown = await start(weights as never);
    const bytes = engine.memory().bytes;
    for (let t = 0; t < 1000; t++) {
      const result = await step(
        weights as never,
        ndarray(Int32Array.of(t % 23), [1], 'int32'),
        state as never,
      );
      result.logits.dispose();
      state = result.state;
      if (t % 250 === 0) expect(engine.memory().bytes).toBe(bytes);
    }
    expect(engine.memory().bytes).toBe(bytes);
    const { position, positions } = state as { position: DeviceArray; positions: DeviceArray };
    expect([...(await position.data())]).toEqual([1000]);
    // The sinks, and the window as a ring: a token takes the slot of the one that left the window.
    expect([...(await positions.data())]).toEqual([0, 1, 998, 999, 994, 995, 996, 997]);
    expect(step.signatures).toBe(1);
  });
});
