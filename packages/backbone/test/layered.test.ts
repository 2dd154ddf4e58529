import { join } from 'node:path';
import { ndarray, type tf } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  continueGreedily,
  LayeredTransformer,
  loadPretrained,
  type TransformerParameters,
} from '../src/index.js';
import { copyOf, editTensors, golden, grownCheckpoint, peakMemory } from './checkpoint-copies.js';
import { engines, maxDifference, withEngine } from './helpers.js';

/** A copy whose weights are cut to BF16. */
async function rounded(name: string): Promise<string> {
  const folder = copyOf(name);
  await editTensors(folder, (tensors) => {
    for (const [key, { shape, dtype, data }] of Object.entries(tensors)) {
      if (dtype !== 'F32') continue;
      const patterns = new Uint32Array((data as Float32Array).slice().buffer);
      tensors[key] = { dtype: 'BF16', shape, data: Uint16Array.from(patterns, (bits) => bits >>> 16) };
    }
  });
  return folder;
}

describe.each(engines)('weights kept in 16 bits, on %s', (name) => {
  it.each([
    ['tiny-gpt2', {}],
    ['tiny-qwen2', {}],
    ['tiny-llama3', {}],
    ['tiny-llama3', { window: 6, sinks: 2 }],
  ])('%s reads as it does in float32: %j', async (family, cache) => {
    const folder = family === 'tiny-gpt2' ? await rounded(family) : join(golden, family);
    await withEngine(name, async (engine) => {
      const { model, params } = await loadPretrained(folder, cache);
      const layered = await LayeredTransformer.load(engine, folder, cache);
      const before = engine.memory().arrays;
      const ids = [3, 70, 11, 200, 5, 9, 41, 8, 100];
      const forward = engine.compile(
        (weights: TransformerParameters, tokens: tf.Tensor) =>
          model.run(weights, { tokens }, model.initState(weights, 1), { logits: 'last' }).logits!,
      );
      const whole = await forward(params as never, ndarray(Int32Array.from(ids), [1, ids.length], 'int32'));
      let { logits, state } = await layered.read(ids.slice(0, 6), layered.initState());
      for (const id of ids.slice(6)) ({ logits, state } = await layered.read([id], state));
      expect(Math.max(...logits.map(Math.abs))).toBeGreaterThan(1);
      expect(maxDifference(logits, await whole.data())).toBeLessThan(2e-5);
      whole.dispose();
      for (const layer of state) {
        for (const array of [
          layer.position,
          layer.positions!,
          layer.layers[0]!.keys,
          layer.layers[0]!.values,
        ])
          array.dispose();
      }
      const expected = await continueGreedily(engine, model, params, ids, 12);
      expect(await layered.continueGreedily(ids, 12)).toEqual(expected);
      expect(engine.memory().arrays).toBe(before);
      await layered.dispose();
    });
  });
});

it.each(['F16', 'BF16'] as const)(
  'loading and reading %s needs the 16-bit weights, one layer and a block of the head in memory',
  async (dtype) => {
    const folder = await grownCheckpoint(dtype);
    await withEngine('onnx', async (engine) => {
      const { result, peak } = await peakMemory(async (onProgress) => {
        const model = await LayeredTransformer.load(engine, folder, { onProgress, capacity: 64 });
        onProgress();
        await model.read([1, 2], model.initState());
        return model;
      });
      const { weights, options } = result;
      expect(weights.bytes).toBeGreaterThan(2e7);
      const layer = 3 * options.mlpWidth * options.modelWidth + 2 * 80 * options.modelWidth;
      const head = 4096 * options.modelWidth;
      expect(peak).toBeGreaterThan(0.9 * weights.bytes);
      expect(peak).toBeLessThan(1.15 * weights.bytes + 4 * (layer + head));
    });
  },
);

it('weights in float32 are refused by name', async () => {
  await withEngine('cpu', async (engine) => {
    const failing = LayeredTransformer.load(engine, join(golden, 'tiny-gpt2'));
    await expect(failing).rejects.toThrow(/model\.safetensors: 'wte\.weight' has dtype F32/);
  });
});
