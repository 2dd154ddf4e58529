import { createEngine, Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../src/config.js';
import { inspectText } from '../src/inspect-text.js';
import { createRsmModel } from '../src/sequence-model.js';

const small = { vocabSize: 11, hiddenSize: 8, numLayers: 2, numHeads: 2, numMemorySlots: 3, windowSize: 6 };
const rng = Rng.fromSeed(4);
const tokens = Int32Array.from({ length: 20 }, () => rng.int(11));

describe('inspecting a text', () => {
  it.each(['parallel', 'causal', 'parity'] as const)(
    'adds up, and agrees with the model: %s',
    async (preset) => {
      const engine = await createEngine('auto');
      const model = createRsmModel({ ...small, preset, useGlobalSync: preset !== 'parity', syncCadence: 2 });
      const params = model.init(Rng.fromSeed(1));
      const memories = preset === 'parity' ? 1 : 2;
      const inspection = await inspectText(engine, model.options, params, tokens);
      expect(inspection.chunks.map(({ from, tokens: count }) => [from, count])).toEqual([
        [0, 6],
        [6, 6],
        [12, 6],
        [18, 2],
      ]);
      for (let row = 0; row < tokens.length * 2; row++) {
        const sum = inspection.reads
          .subarray(row * 3, row * 3 + 3)
          .reduce((total, weight) => total + weight, 0);
        expect(sum).toBeCloseTo(1, 5);
      }
      // Four chunks write 3 slots of 8 channels.
      expect(inspection.gateCounts.map((counts) => counts.reduce((a, b) => a + b))).toEqual([96, 96]);
      expect(inspection.memory.length).toBe(memories * 24);
      for (const { slotRank, slotNorms, gateMean } of inspection.chunks) {
        expect(slotRank.length).toBe(memories);
        for (const rank of slotRank) expect(rank >= 0.999 && rank <= 3.001).toBe(true);
        expect(slotNorms.map((norms) => norms.length)).toEqual(new Array(memories).fill(3));
        for (const mean of gateMean) expect(mean > 0 && mean < 1).toBe(true);
      }
      const norm = Math.hypot(...inspection.memory.subarray(0, 8));
      expect(inspection.chunks.at(-1)!.slotNorms[0]![0]).toBeCloseTo(norm, 5);
      expect(inspection.losses[0]).toBeNaN();
      if (preset !== 'parity') {
        const forward = engine.compile(
          ((weights: never, ids: never) =>
            model.forward(weights, ids, model.initState(weights, 1), { training: false }).state
              .memory) as never,
        );
        const ids = { data: tokens.slice(0, 18), shape: [1, 18], dtype: 'int32' };
        const whole = await inspectText(engine, model.options, params, tokens.slice(0, 18));
        const memory = (await forward(params as never, ids as never)) as unknown as {
          data(): Promise<Float32Array>;
        };
        const expected = await memory.data();
        whole.memory.forEach((value, index) => {
          expect(value).toBeCloseTo(expected[index]!, 5);
        });
      }
      await engine.dispose();
    },
  );

  it('refuses an empty text and a first-generation model', async () => {
    const engine = await createEngine('cpu');
    const config = resolveConfig({ ...small, preset: 'causal' });
    await expect(inspectText(engine, config, {}, new Int32Array())).rejects.toThrow('no tokens');
    const legacy = resolveConfig({ ...small, numHeads: 1, preset: 'legacy' });
    await expect(inspectText(engine, legacy, {}, tokens)).rejects.toThrow('First-generation');
    await engine.dispose();
  });
});
