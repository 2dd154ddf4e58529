import { createEngine, type NDArray, ndarray, Rng, tf } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { forwardChunk } from '../src/forms/chunk.js';
import type { RsmParams } from '../src/parameters.js';
import { lively, randomTokens, smallModel, toHost, wirings } from './support/models.js';

const engines = await Promise.all((['cpu', 'onnx'] as const).map((name) => createEngine(name)));
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

/** The same tokens with the one at `place` changed in every row. */
function changed(tokens: NDArray, place: number, vocabSize: number): NDArray {
  const data = Int32Array.from(tokens.data as Int32Array);
  const time = tokens.shape[1]!;
  for (let index = place; index < data.length; index += time) data[index] = (data[index]! + 1) % vocabSize;
  return ndarray(data, tokens.shape, 'int32');
}

/** Largest change of logits before and from a place on. */
function changes(before: NDArray, after: NDArray, place: number): { earlier: number; later: number } {
  const [, time, width] = before.shape as [number, number, number];
  let [earlier, later] = [0, 0];
  for (let index = 0; index < before.data.length; index++) {
    const off = Math.abs(before.data[index]! - after.data[index]!);
    if (Math.floor(index / width) % time < place) earlier = Math.max(earlier, off);
    else later = Math.max(later, off);
  }
  return { earlier, later };
}

const cases = engines.flatMap((engine) =>
  Object.entries(wirings).map(([wiring, options]) => [engine.name, wiring, engine, options] as const),
);

describe('strict causality', () => {
  it.each(cases)(
    'on %s, %s: no token moves a bit of any logit before it',
    async (_name, _wiring, engine, options) => {
      const model = smallModel(options);
      const params = lively(model);
      const time = 13;
      const tokens = randomTokens(2, time, model.vocabSize);
      const forward = engine.compile((weights: RsmParams, ids: tf.Tensor2D) => {
        const result = model.forward(weights, ids, model.initState(weights, 2), { training: true });
        return { logits: result.logits as tf.Tensor };
      });
      const run = async (ids: NDArray) =>
        ((await toHost(await forward(params as never, ids as never))) as { logits: NDArray }).logits;
      const before = await run(tokens);
      for (let place = 0; place < time; place++) {
        const { earlier, later } = changes(before, await run(changed(tokens, place, model.vocabSize)), place);
        expect(earlier).toBe(0);
        expect(later).toBeGreaterThan(1e-3);
      }
    },
  );
});

describe('the reference', () => {
  const engine = engines[0]!;
  const options = { preset: 'parity', useGlobalSync: false } as const;
  const chunk = (config: ReturnType<typeof smallModel>['options']) =>
    engine.compile((weights: RsmParams, ids: tf.Tensor2D) => ({
      logits: forwardChunk(config, weights, ids).logits as tf.Tensor,
    }));

  it.each([
    [1, 0],
    [2, 0.03],
    [3, 0.03],
  ])('with %i blocks shows earlier tokens the last one by at least %f', async (numLayers, least) => {
    const model = smallModel({ ...options, numLayers });
    const params = lively(model);
    const run = chunk(model.options);
    const tokens = randomTokens(2, 5, model.vocabSize);
    const logits = async (ids: NDArray) =>
      ((await toHost(await run(params as never, ids as never))) as { logits: NDArray }).logits;
    const { earlier } = changes(await logits(tokens), await logits(changed(tokens, 4, model.vocabSize)), 4);
    if (least === 0) expect(earlier).toBe(0);
    else expect(earlier).toBeGreaterThan(least);
  });

  it('with one block equals the wiring that reads the memory at the chunk start', async () => {
    const leaky = smallModel({ ...options, numLayers: 1 });
    const causal = smallModel({ ...options, numLayers: 1, memoryRead: 'chunkStart' });
    const params = lively(leaky);
    const tokens = randomTokens(2, 5, leaky.vocabSize);
    const [a, b] = await Promise.all(
      [leaky, causal].map(
        async ({ options: config }) =>
          ((await toHost(await chunk(config)(params as never, tokens as never))) as { logits: NDArray })
            .logits,
      ),
    );
    expect(a!.data).toEqual(b!.data);
  });

  it.each(['parity', 'legacy'] as const)(
    '%s as a sequence model: every token sees its prefix alone, however the text is cut',
    async (preset) => {
      const model = smallModel({ preset, useGlobalSync: false, numHeads: 1 });
      const params = lively(model, 3);
      const tokens = randomTokens(2, 12, model.vocabSize, 5);
      const read = async (sizes: readonly number[]) => {
        const run = engine.compile((weights: RsmParams, ids: tf.Tensor2D) => {
          let state = model.initState(weights, 2);
          let from = 0;
          const parts = sizes.map((size) => {
            const piece = tf.slice(ids, [0, from], [2, size]) as tf.Tensor2D;
            const result = model.forward(weights, piece, state, { training: false });
            state = result.state;
            from += size;
            return result.logits as tf.Tensor;
          });
          return { logits: tf.concat(parts, 1), memory: state.memory };
        });
        return (await toHost(await run(params as never, tokens as never))) as Record<
          'logits' | 'memory',
          NDArray
        >;
      };
      const steps = await read(new Array<number>(12).fill(1));
      const pieces = await read([3, 9]);
      const limit = 2e-5 * Math.max(1, ...steps.logits.data.map((value) => Math.abs(Number(value))));
      steps.logits.data.forEach((value, index) => {
        expect(Math.abs(Number(value) - Number(pieces.logits.data[index]))).toBeLessThan(limit);
      });
      steps.memory.data.forEach((value, index) => {
        expect(Math.abs(Number(value) - Number(pieces.memory.data[index]))).toBeLessThan(2e-5);
      });
      const other = changed(tokens, 7, model.vocabSize);
      const { earlier, later } = changes(
        steps.logits,
        await (async () => {
          const run = engine.compile((weights: RsmParams, ids: tf.Tensor2D) => ({
            logits: model.forward(weights, ids, model.initState(weights, 2), { training: false })
              .logits as tf.Tensor,
          }));
          return ((await toHost(await run(params as never, other as never))) as { logits: NDArray }).logits;
        })(),
        7,
      );
      expect(earlier).toBeLessThan(limit);
      expect(later).toBeGreaterThan(1e-2);
    },
  );
});

describe('writes', () => {
  it('never leave the larger of 1 and the memory, and slots may be renamed', async () => {
    const engine = engines[0]!;
    const rng = Rng.fromSeed(9);
    for (const preset of ['parity', 'causal', 'parallel'] as const) {
      const model = smallModel({
        preset,
        useGlobalSync: false,
        slotIdentity: false,
        useAttentionPooling: true,
      });
      const params = lively(model, 4, 1);
      const { numMemorySlots: m, hiddenSize: d, numLayers } = model.options;
      const shape = preset === 'parity' ? [2, m, d] : [2, numLayers, m, d];
      const memory = rng.normalArray(shape, 0, 2);
      const order = [2, 0, 1];
      const run = engine.compile((weights: RsmParams, ids: tf.Tensor2D, first: tf.Tensor) => {
        const result = forwardChunk(model.options, weights, ids, first);
        const renamed = forwardChunk(model.options, weights, ids, tf.gather(first, order, shape.length - 2));
        return {
          memory: result.memory,
          logits: result.logits as tf.Tensor,
          renamedMemory: renamed.memory,
          renamedLogits: renamed.logits as tf.Tensor,
          expected: tf.gather(result.memory, order, shape.length - 2),
        };
      });
      const result = (await toHost(
        await run(params as never, randomTokens(2, 5, model.vocabSize) as never, memory as never),
      )) as Record<string, NDArray>;
      result.memory!.data.forEach((value, index) => {
        const before = preset === 'parity' ? largestSoFar(memory) : Math.abs(memory.data[index]!);
        expect(Math.abs(Number(value))).toBeLessThanOrEqual(Math.max(before, 1));
      });
      expect(distance(result.renamedMemory!, result.expected!)).toBeLessThan(1e-5);
      expect(distance(result.renamedLogits!, result.logits!)).toBeLessThan(1e-4);
      // Renaming does move the memory, so that the comparison means something.
      expect(distance(result.renamedMemory!, result.memory!)).toBeGreaterThan(0.1);
    }
  });
});

const largestSoFar = (array: NDArray) => Math.max(...array.data.map((value) => Math.abs(Number(value))));
const distance = (a: NDArray, b: NDArray) =>
  Math.max(...a.data.map((value, index) => Math.abs(Number(value) - Number(b.data[index]))));
