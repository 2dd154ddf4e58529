import { createEngine, type Engine, ndarray, Rng, runOnce, tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveNAMMConfig } from '../src/config.js';
import { spectrum, transformMatrix } from '../src/features/spectrum.js';
import { advanceStream, type SpectrumStream } from '../src/features/stream.js';
import { windowWeights } from '../src/features/window.js';
import { manageTransformer } from '../src/index.js';
import { livelyTransformer, maxDifference, smallNamm, texts } from './support/models.js';

const [SIZE, HOP, BINS] = [8, 4, 5];
const config = resolveNAMMConfig({
  nFft: SIZE,
  hopLength: HOP,
  emaCoeff: 0.9,
  updateInterval: 16,
  maxTokensPerForward: 8,
});
const window = windowWeights(config.window, SIZE, HOP);

/** |X| of one token's samples, from the definition in float64. */
const magnitudes = (samples: readonly number[]) =>
  Array.from({ length: BINS }, (_, k) => {
    const sum = (wave: (angle: number) => number) =>
      samples.reduce((total, x, m) => total + window[m]! * x * wave((2 * Math.PI * k * m) / SIZE), 0);
    return Math.hypot(sum(Math.cos), sum(Math.sin));
  });

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

describe('features', () => {
  it('are the transform from its definition; a token without attention has none', async () => {
    const rows = Rng.fromSeed(1).normalArray([1, 2, SIZE, 3], 0, 1);
    for (let m = 0; m < SIZE; m++) rows.data[m * 3 + 1] = 0;
    const { data } = await runOnce(
      engine,
      (x: tf.Tensor, matrix: tf.Tensor) => spectrum(x, matrix, true),
      rows,
      ndarray(transformMatrix(window), [SIZE + 2, SIZE]),
    );
    for (const [head, token] of [
      [0, 0],
      [0, 1],
      [1, 2],
    ] as const) {
      const samples = Array.from({ length: SIZE }, (_, m) => rows.data[(head * SIZE + m) * 3 + token]!);
      const own = Array.from({ length: BINS }, (_, k) => data[(head * BINS + k) * 3 + token]!);
      expect(maxDifference(own, magnitudes(samples))).toBeLessThan(1e-5);
      if (token === 1) expect(own).toEqual(new Array(BINS).fill(0));
    }
  });

  it('are the average over the hops of an interval, however it is cut into pieces', async () => {
    const [queries, tokens] = [16, 4];
    const rows = Rng.fromSeed(2).normalArray([1, 1, queries, tokens], 0, 1);
    const read = (pieces: readonly number[]) =>
      runOnce(
        engine,
        (x: tf.Tensor) => {
          let stream: SpectrumStream | undefined;
          let from = 0;
          for (const count of pieces) {
            stream = advanceStream(config, tf.slice(x, [0, 0, from, 0], [1, 1, count, tokens]), stream);
            from += count;
          }
          return { average: stream!.average, ring: stream!.ring! };
        },
        rows,
      );
    const decay = 0.9 ** HOP;
    const signal = (token: number) => [
      ...new Array<number>(SIZE - HOP).fill(0),
      ...Array.from({ length: queries }, (_, row) => rows.data[row * tokens + token]!),
    ];
    const want = Array.from({ length: BINS }, (_, k) =>
      Array.from({ length: tokens }, (__, token) => {
        let sum = 0;
        for (let from = 0; from + SIZE <= queries + SIZE - HOP; from += HOP) {
          sum = decay * sum + (1 - decay) * magnitudes(signal(token).slice(from, from + SIZE))[k]!;
        }
        return sum;
      }),
    ).flat();
    for (const pieces of [[16], [8, 8], [3, 1, 12], [1, 1, 1, 1, 5, 2, 5]]) {
      const { average, ring } = await read(pieces);
      expect(maxDifference(average.data, want)).toBeLessThan(1e-5);
      expect(Array.from(ring.data)).toEqual(Array.from(rows.data.subarray(12 * tokens)));
    }
  });

  it('take the bytes that their formula says, which fall with an update, far below rows that wait for one', async () => {
    const { model, params } = livelyTransformer();
    const { policy } = smallNamm({ selection: { kind: 'topk', cacheSize: 4 } });
    const reader = manageTransformer(model, policy, { updateInterval: 16, maxTokensPerForward: 8 }).compile(
      engine,
      params,
    );
    const reading = reader.read(1);
    const { layers, keyValueHeads, headWidth, heads } = model.options;
    /** Keys, values, position; average and ring of the policy, and rows that wait. */
    const bytes = (slots: number, ring: number, waiting = 0) =>
      8 + 4 * layers * keyValueHeads * slots * (2 * headWidth + 1 + BINS + ring + waiting);
    const ids = texts(1, 40);
    const read = async (from: number, to: number) =>
      (await reading.read(ndarray(ids.data.subarray(from, to), [1, to - from], 'int32'))).dispose();
    await read(0, 8);
    expect(reading.stateBytes).toBe(bytes(8, HOP));
    await read(8, 16);
    expect(reading.stateBytes).toBe(bytes(8, HOP));
    await read(16, 24);
    expect(reading.stateBytes).toBe(bytes(16, HOP));
    // Rows of all query heads since the last update, and those of the interval before it, are what would wait otherwise.
    const carried = reading.stateBytes - reading.keyValueBytes;
    const held = 4 * layers * 16 * (heads * 8 + keyValueHeads * (16 + BINS + 1));
    expect(carried).toBeLessThan(held / 3);
    await read(24, 32);
    expect(reading.stateBytes).toBe(bytes(8, HOP));
    await reading.dispose();
    await reader.dispose();
  });
});
