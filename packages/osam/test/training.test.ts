import { createEngine, type NDArray, ndarray, Rng, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { createOsamModel, type OsamParams } from '../src/index.js';
import { maxDifference, randomModel, randomTokens, runPieces, toHost, zeroState } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

describe('training', async () => {
  const engine = await createEngine('cpu');

  it.each([
    ['read-outs', {}, { dropout: 0.5 }],
    ['the MLP of post-norm blocks', { mlpRatio: 2 }, { mlpDropout: 0.5 }],
    ['the MLP of pre-norm blocks', { mlpRatio: 2, norm: 'pre', layers: 2 }, { mlpDropout: 0.5 }],
  ] as const)(
    'draws dropout of %s from the key: equal keys agree, evaluation never drops',
    async (_, shape, rates) => {
      const undroppedOptions = { ...small, ...shape };
      const options = { ...undroppedOptions, ...rates };
      const { model, params } = randomModel(options);
      const forward = engine.compile((p: OsamParams, x: tf.Tensor2D, key: tf.Tensor) => {
        const state = model.initState(p, 2);
        const logits = (training: boolean) =>
          model.forward(p, x, state, { training, dropoutKey: key }).logits;
        return { trained: logits(true) as tf.Tensor, evaluated: logits(false) as tf.Tensor };
      });
      const tokens = randomTokens(2, 8, 9);
      const run = async (key: number) =>
        toHost<{ trained: NDArray; evaluated: NDArray }>(
          await forward(params as never, tokens as never, ndarray([key, 1], [2], 'int32')),
        );
      const [first, again, other] = [await run(1), await run(1), await run(2)];
      expect(first.trained.data).toEqual(again.trained.data);
      expect(maxDifference(first.trained.data, other.trained.data)).toBeGreaterThan(0.01);
      expect(first.evaluated.data).toEqual(other.evaluated.data);
      expect(maxDifference(first.trained.data, first.evaluated.data)).toBeGreaterThan(0.01);
      const plain = randomModel(undroppedOptions);
      const undropped = await runPieces(engine, plain.model, plain.params, tokens, [8]);
      expect(maxDifference(undropped.logits, first.evaluated.data)).toBe(0);
    },
  );
});

describe('memory', () => {
  it('of a training step grows by the same bytes per token for every d x m, and linearly', async () => {
    await createEngine('cpu');
    await tf.setBackend('cpu');
    const peak = async (dModel: number, sketchDim: number, time: number) => {
      const model = createOsamModel({ ...small, dModel, sketchDim, mode: 'parity', chunk: 64 });
      const host = model.init(Rng.fromSeed(0));
      const { peakBytes } = await tf.profile(() =>
        tf.tidy(() => {
          const params = asTensors(host) as OsamParams;
          const state = model.initState(params, 2);
          const x = tf.zeros([2, time], 'int32') as tf.Tensor2D;
          return valueAndGradient(
            (p: OsamParams) => tf.mean(tf.square(model.forward(p, x, state, { training: true }).logits)),
            params,
          ).value;
        }),
      );
      return peakBytes;
    };
    const slope = async (dModel: number, sketchDim: number) => {
      const [a, b, c] = [
        await peak(dModel, sketchDim, 64),
        await peak(dModel, sketchDim, 128),
        await peak(dModel, sketchDim, 192),
      ];
      // Scores are time x time below the chunk length; beyond it memory is linear.
      expect((c - b) / (b - a)).toBeLessThan(2);
      return (b - a) / 128;
    };
    const [narrow, wide] = [await slope(8, 64), await slope(8, 4096)];
    expect(wide / narrow).toBeLessThan(1.5);
    expect(wide).toBeLessThan(4 * 2 * 8 * 4096);
  });
});

function asTensors(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null) return tree;
  if ('data' in tree && 'dtype' in tree) {
    const { data, shape, dtype } = tree as NDArray;
    return tf.tensor(data, [...shape], dtype);
  }
  if (Array.isArray(tree)) return tree.map(asTensors);
  return Object.fromEntries(Object.entries(tree).map(([name, child]) => [name, asTensors(child)]));
}

describe('telemetry', async () => {
  const engine = await createEngine('cpu');

  it('gives the norms of the state itself, for heads that forget as well', async () => {
    for (const options of [
      { ...small, mode: 'parity' as const },
      { ...small, heads: 2, headDecays: [1, 0.8] },
      { ...small, decay: 0.9 },
    ]) {
      const { model, params } = randomModel(options);
      const tokens = randomTokens(1, 12, 9);
      const prefix = await runPieces(
        engine,
        model,
        params,
        { ...tokens, data: tokens.data.slice(0, 11), shape: [1, 11] },
        [11],
      );
      const last = { ...tokens, data: tokens.data.slice(11), shape: [1, 1] };
      const run = engine.compile((p: OsamParams, x: tf.Tensor2D, s: ReturnType<typeof model.initState>) => {
        const { telemetry, state } = model.forward(p, x, s, { training: false, telemetry: true });
        return { telemetry: telemetry!, state };
      });
      const { telemetry, state } = await toHost<{
        telemetry: Record<string, NDArray>;
        state: typeof prefix.state;
      }>(await run(params as never, last as never, prefix.state as never));
      const norm = (data: ArrayLike<number>) =>
        Math.sqrt(Array.from(data).reduce((sum, x) => sum + x * x, 0));
      const { keySum, valueMemory } = state.blocks[0]!;
      expect(telemetry.kNorm!.data[0]).toBeCloseTo(norm(keySum!.data), 4);
      expect(telemetry.hFrobenius!.data[0]).toBeCloseTo(norm(valueMemory!.data), 4);
      expect(telemetry.s1Norm!.data[0]).toBeCloseTo(telemetry.kNorm!.data[0]! + telemetry.hNorm!.data[0]!, 5);
      expect(zeroState(model, 1).blocks.length).toBe(1);
    }
  });

  it("counts reads or positions: stride 2 of every third position is every sixth under 'raw' and 'computed'", async () => {
    const norms = async (telemetryRule: 'raw' | 'computed', telemetryStride: number, time: number) => {
      const { model, params } = randomModel({
        ...small,
        mode: 'parity',
        kUpdate: 3,
        telemetryRule,
        telemetryStride,
      });
      const run = engine.compile((p: OsamParams, x: tf.Tensor2D) => {
        return model.forward(p, x, model.initState(p, 1), { training: false, telemetry: true }).telemetry!;
      });
      const result = await toHost<Record<string, NDArray>>(
        await run(params as never, randomTokens(1, time, 9) as never),
      );
      return result.kNorm!.data[0]!;
    };
    // With stride 3, 'raw' collects reads 0, 3, 6 and 'computed' reads 0 and 9 among ten tokens.
    const [raw, computed] = [await norms('raw', 3, 10), await norms('computed', 3, 10)];
    expect(raw).not.toBeCloseTo(computed, 3);
    expect(await norms('raw', 3, 3)).toBeCloseTo(await norms('computed', 3, 3), 5);
    expect(await norms('raw', 6, 13)).toBeCloseTo(await norms('computed', 2, 13), 5);
  });
});
