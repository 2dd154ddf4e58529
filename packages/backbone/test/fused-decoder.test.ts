import { StepDecoder } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransformerState } from '../src/cache.js';
import { FusedDecoder } from '../src/fused-decoder.js';
import type { TransformerOptions } from '../src/index.js';
import { frozenModel } from './frozen-model.js';
import { expectToGoOn } from './goes-on.js';
import { maxDifference, randomTokens } from './helpers.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
});

const text = (count: number, seed: number) => [...randomTokens(1, count, seed).data];

const llama = { positions: 'rotary', norm: 'rms', activation: 'swiglu', keyValueHeads: 2 } as const;
const families: Record<string, Partial<TransformerOptions>> = {
  llama,
  'a tied head, biases of the projections, a stretched rotation': {
    ...llama,
    queryKeyValueBias: true,
    tiedHead: false,
    rotaryScaling: {
      kind: 'yarn',
      factor: 4,
      originalContext: 64,
      fastRotations: 32,
      slowRotations: 1,
      wholeDimensions: true,
      magnitude: 1.14,
    },
  },
  'layers without rotation': { ...llama, unrotatedLayers: [1] },
  'gemma 3': {
    ...llama,
    activation: 'geglu',
    queryKeyNorm: true,
    sandwichNorms: true,
    embeddingScale: 5.6,
    attentionScale: 0.3,
    localLayers: [0, 2],
    localWindow: 7,
    localRotaryBase: 1000,
  },
  'gpt-2': {
    positions: 'learned',
    norm: 'layer',
    activation: 'geluTanh',
    queryKeyValueBias: true,
    outputBias: true,
    mlpBias: true,
  },
  'learned positions that end before the window and its sinks do': {
    positions: 'learned',
    window: 300,
    sinks: 4,
  },
  'a window with sinks': { ...llama, window: 290, sinks: 4 },
};

describe('decoding in few large nodes', () => {
  it.each(Object.entries(families))(
    'gives the logits of the general form at any length: %s',
    async (_, options) => {
      const { model, others } = frozenModel(options);
      const general = await StepDecoder.create(engine, model, others);
      const fused = await model.decoder!(engine, others);
      expect(fused).toBeInstanceOf(FusedDecoder);
      // Beyond 256 the cache grows, beyond 300 the oldest entries make room.
      for (const ids of [
        text(20, 1),
        text(1, 2),
        text(1, 3),
        text(130, 4),
        text(1, 5),
        text(110, 6),
        text(45, 7),
      ]) {
        const [expected, found] = [await general.read(ids), await fused.read(ids)];
        expect(maxDifference([...found], [...expected])).toBeLessThan(2e-3);
      }
      expect(fused.stateBytes).toBe(general.stateBytes);
      await general.dispose();
      await fused.dispose();
    },
  );

  it.each([8, 4] as const)('gives them with matrices of %i bits too', async (bits) => {
    const { model, others } = frozenModel(llama, bits);
    const general = await StepDecoder.create(engine, model, others);
    const fused = await model.decoder!(engine, others);
    for (const ids of [text(40, 1), text(1, 2), text(3, 3)]) {
      const [expected, found] = [await general.read(ids), await fused.read(ids)];
      const largest = Math.max(...expected.map(Math.abs));
      // Activations are rounded to 8 bits, and what falls on the other side of a half differs by a step.
      expect(maxDifference([...found], [...expected])).toBeLessThan(0.03 * largest);
    }
    await general.dispose();
    await fused.dispose();
  });

  it('builds one graph for texts, pieces and caches of all lengths', async () => {
    const { model, others } = frozenModel(llama);
    const before = engine.memory();
    const first = await model.decoder!(engine, others);
    const second = await first.fork();
    for (const count of [3, 1, 200, 1, 80]) await first.read(text(count, count));
    await second.read(text(9, 9));
    expect(engine.memory().graphs).toBe(before.graphs + 1);
    await first.dispose();
    await second.dispose();
    expect(engine.memory()).toEqual(before);
  });

  it('copies no cache for a token', async () => {
    const { model, others } = frozenModel(llama);
    const decoder = await model.decoder!(engine, others);
    await decoder.read(text(20, 1));
    const tokens = 20;
    const cache = 4 * 2 * 3 * 2 * 16 * 256;
    let grown = 0;
    for (let token = 0; token < tokens; token++) {
      const before = process.memoryUsage().arrayBuffers;
      await decoder.read([token]);
      grown += Math.max(0, process.memoryUsage().arrayBuffers - before);
    }
    expect(grown).toBeLessThan((tokens * cache) / 4);
    await decoder.dispose();
  });

  it('gives a memory that the general form goes on from, and takes its memory', async () => {
    const { model, others } = frozenModel(llama);
    const fused = await model.decoder!(engine, others);
    const general = await StepDecoder.create(engine, model, others);
    for (const ids of [text(50, 1), text(260, 2)]) {
      await fused.reset();
      await fused.read(ids);
      await general.restore(await fused.state());
      const state = (await fused.state()) as TransformerState<NDArray>;
      expect(state.position.data[0]).toBe(ids.length);
      const next = text(5, 3);
      const expected = await general.read(next);
      expect(maxDifference([...(await fused.read(next))], [...expected])).toBeLessThan(2e-3);
      // What `forward` wrote lies at the end of the window.
      await general.reset();
      await general.read(ids);
      await fused.restore(await general.state());
      expect(maxDifference([...(await fused.read(next))], [...expected])).toBeLessThan(2e-3);
    }
    await general.dispose();
    await fused.dispose();
  });

  it('is forked, saved and restored, and goes on bit for bit', () =>
    expectToGoOn(engine, frozenModel(llama)));

  it('leaves other engines and evictable caches to the general form', async () => {
    const { model, others } = frozenModel(llama);
    const cpu = await createEngine('cpu');
    const plain = await model.decoder!(cpu, others);
    expect(plain).toBeInstanceOf(StepDecoder);
    await plain.dispose();
    await cpu.dispose();
    const evictable = model.withCache({ evictable: true, capacity: 16 });
    const decoder = await evictable.decoder!(engine, others);
    expect(decoder).toBeInstanceOf(StepDecoder);
    await decoder.dispose();
  });
});
