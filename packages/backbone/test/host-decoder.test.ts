import { createDecoder, StepDecoder } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, ndarray, Rng, treeMap } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTransformer, type TransformerOptions } from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

const small = { vocabSize: 19, layers: 2, heads: 4, modelWidth: 16, context: 200 } as const;
const biased = { queryKeyValueBias: true, outputBias: true, mlpBias: true } as const;
const cases: Record<string, Partial<TransformerOptions>> = {
  'learned positions, LayerNorm, gelu, biases': { positions: 'learned', norm: 'layer', ...biased },
  'rotary positions, RMS norm, gated, grouped queries': {
    ...{ norm: 'rms', activation: 'swiglu', keyValueHeads: 2, tiedHead: false, embeddingScale: 2 },
  },
  'a sliding window': { window: 24, norm: 'rms' },
  'learned positions that end before the text': { positions: 'learned', context: 40, capacity: 30 },
  'stretched positions, a layer without them, heads of their own width': {
    ...{ rotaryScaling: { kind: 'linear', factor: 3 }, unrotatedLayers: [1], headWidth: 8 },
  },
};

const ids = (count: number, seed = 5) => {
  const rng = Rng.fromSeed(seed);
  return Int32Array.from({ length: count }, () => rng.int(small.vocabSize));
};
const gap = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

function modelOf(options: Partial<TransformerOptions>) {
  const model = createTransformer({ ...small, ...options });
  const rng = Rng.fromSeed(1);
  const params = treeMap<NDArray, NDArray>(model.init(rng), ({ data, shape }) =>
    ndarray(
      Float32Array.from(data, (value) => value + 0.2 * rng.normal()),
      shape,
    ),
  ) as ReturnType<typeof model.init>;
  return { model, params };
}

describe('transformers decoded on the processor', () => {
  it.each(Object.entries(cases))('tokens, prompts and forks equal the step: %s', async (_name, options) => {
    const { model, params } = modelOf(options);
    const host = await createDecoder(engine, model, params);
    const step = await StepDecoder.create(engine, model, params, { chunks: [] });
    expect(model.decoder).toBeDefined();
    expect(host.stateBytes).toBe(step.stateBytes);
    for (const id of ids(10)) expect(gap(await host.read([id]), await step.read([id]))).toBeLessThan(1e-4);
    const text = ids(140, 8);
    const fork = await host.fork();
    const expected = await step.read(text);
    // The prompt goes through the graph, which leaves entries in slots of its own order, and is gone on from.
    expect(gap(await host.read(text), expected)).toBeLessThan(2e-4);
    for (const id of text.subarray(0, -1)) await fork.read([id]);
    expect(gap(await fork.read(text.subarray(-1)), expected)).toBeLessThan(2e-4);
    const [one, other] = [await createDecoder(engine, model, params), host];
    await one.restore(await step.state());
    for (const id of ids(12, 9)) {
      const next = await step.read([id]);
      expect(gap(await other.read([id]), next)).toBeLessThan(2e-4);
      expect(gap(await one.read([id]), next)).toBeLessThan(2e-4);
    }
    for (const decoder of [host, step, fork, one]) await decoder.dispose();
  });

  it('a memory at a position that no text has is refused, and leaves the text as it was', async () => {
    const { model, params } = modelOf({ positions: 'learned' });
    const [decoder, other] = [
      await createDecoder(engine, model, params),
      await createDecoder(engine, model, params),
    ];
    for (const each of [decoder, other]) await each.read(ids(4));
    const state = (await decoder.state()) as Record<string, unknown>;
    const wrong = { ...state, position: ndarray(Int32Array.of(-3), [1], 'int32') };
    await expect(decoder.restore(wrong)).rejects.toThrow('The memory holds a position below 0');
    expect(await decoder.read([7])).toEqual(await other.read([7]));
    for (const each of [decoder, other]) await each.dispose();
  });

  it('what is not written out is left to the graph', () => {
    const others: Partial<TransformerOptions>[] = [
      { positions: 'sinusoidal' },
      { window: 8, sinks: 2 },
      { activation: 'geluTanh' },
      { queryKeyNorm: true },
      { evictable: true },
      { modelWidth: 20, heads: 2 },
    ];
    for (const options of others) expect(modelOf(options).model.decoder).toBeUndefined();
  });
});
