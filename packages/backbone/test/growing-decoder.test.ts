import { Session, StepDecoder } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransformerState } from '../src/cache.js';
import { GrowingDecoder, growsWithText } from '../src/growing-decoder.js';
import { type CacheOptions, createTransformer } from '../src/index.js';
import { resized } from '../src/resized-state.js';
import { maxDifference } from './helpers.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(() => engine.dispose());

/** A small model with a cache that is large enough to grow: 12 MiB in 600 slots. */
function model(cache: CacheOptions = { capacity: 600 }) {
  const shape = { vocabSize: 50, layers: 2, heads: 5, keyValueHeads: 5, modelWidth: 40, headWidth: 256 };
  const transformer = createTransformer({ ...shape, mlpWidth: 16, context: 2000, ...cache });
  return { transformer, params: transformer.init(Rng.fromSeed(3)) };
}

const text = (count: number, seed = 1) => {
  const rng = Rng.fromSeed(seed);
  return Array.from({ length: count }, () => rng.int(50));
};

describe('a cache that grows with its text', () => {
  it.each([
    ['full attention', { capacity: 600 }],
    ['a window with sinks', { window: 596, sinks: 4 }],
  ])('gives the logits of one of all slots, beyond its last size too: %s', async (_, cache) => {
    const { transformer, params } = model(cache);
    const whole = await StepDecoder.create(engine, transformer, params);
    const growing = await GrowingDecoder.create(engine, transformer, params);
    const sizes: number[] = [];
    // 256 slots, 512 and 600; the last tokens drop the oldest ones.
    for (const ids of [text(200), text(48), text(24), text(192), text(1), text(128), text(64)]) {
      const [expected, found] = [await whole.read(ids), await growing.read(ids)];
      expect(maxDifference([...found], [...expected])).toBeLessThan(1e-4);
      sizes.push(growing.stateBytes);
    }
    expect(new Set(sizes).size).toBe(3);
    expect(sizes.at(-1)).toBe(whole.stateBytes);
    await whole.dispose();
    await growing.dispose();
  });

  it('is forked, saved and restored at any size, and goes on bit for bit', async () => {
    const { transformer, params } = model();
    const session = await Session.create({ engine, model: transformer, params, seed: 2 });
    const other = await Session.create({ engine, model: transformer, params, seed: 9 });
    for (const length of [16, 256, 384]) {
      await session.append(text(length, length));
      const [fork] = await session.fork(1);
      await other.restore(await session.snapshot());
      const [next, nextOfOther] = [await session.next(), await other.next()];
      expect(nextOfOther).toEqual(next);
      expect(await other.logits()).toEqual(await session.logits());
      expect((await fork!.logits()).length).toBe(50);
      await fork!.dispose();
    }
    await session.reset();
    await session.append(text(16, 16));
    await other.prefill(text(16, 16));
    expect(await other.logits()).toEqual(await session.logits());
    await session.dispose();
    await other.dispose();
  });

  it('leaves nothing behind', async () => {
    const { transformer, params } = model();
    const before = engine.memory();
    const session = await Session.create({ engine, model: transformer, params });
    await session.append(text(300));
    await session.dispose();
    expect(engine.memory()).toEqual(before);
  });

  it('has room at once for what it is told of', async () => {
    const { transformer, params } = model();
    const growing = await GrowingDecoder.create(engine, transformer, params);
    const { stateBytes } = growing;
    await growing.reserve(500);
    expect(growing.stateBytes).toBeGreaterThan(1.9 * stateBytes);
    await growing.dispose();
  });

  it('is not used where it saves nothing, or where frequencies depend on its size', () => {
    const { transformer } = model();
    const { options } = transformer;
    expect(growsWithText(options)).toBe(true);
    expect(transformer.decoder).toBeDefined();
    expect(growsWithText({ ...options, capacity: 256 })).toBe(false);
    expect(growsWithText({ ...options, evictable: true })).toBe(false);
    expect(
      growsWithText({ ...options, rotaryScaling: { kind: 'dynamic', factor: 2, originalContext: 64 } }),
    ).toBe(false);
  });
});

it('entries of a memory keep their slots, and move when there are none', () => {
  const { transformer } = model({ window: 5, sinks: 1 });
  const config = { ...transformer.options, keyValueHeads: 1, headWidth: 2, layers: 1 };
  const rows = (count: number) => Float32Array.from({ length: 2 * count }, (_, i) => i);
  const state = (positions: number[]) =>
    ({
      position: { dtype: 'int32', shape: [1], data: Int32Array.of(3) },
      positions: { dtype: 'int32', shape: [1, 1, positions.length], data: Int32Array.from(positions) },
      layers: [
        {
          keys: { dtype: 'float32', shape: [1, 1, positions.length, 2], data: rows(positions.length) },
          values: { dtype: 'float32', shape: [1, 1, positions.length, 2], data: rows(positions.length) },
        },
      ],
    }) as TransformerState<NDArray>;
  const larger = resized(config, state([0, 2, -1, 1]), 6);
  expect([...larger.positions!.data]).toEqual([0, 2, -1, 1, -1, -1]);
  expect([...larger.layers[0]!.keys.data]).toEqual([0, 1, 2, 3, 0, 0, 6, 7, 0, 0, 0, 0]);
  const smaller = resized(config, state([0, -1, -1, 2, -1, 1]), 3);
  expect([...smaller.positions!.data]).toEqual([0, 2, 1]);
  expect([...smaller.layers[0]!.values.data]).toEqual([0, 1, 6, 7, 10, 11]);
});
