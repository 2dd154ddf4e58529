import { createEngine, type NDArray, Rng, tf, treeLeaves, valueAndGradient } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { crossAttention } from '../src/attention.js';
import type { RsmOptions } from '../src/config.js';
import { forwardChunk } from '../src/forms/chunk.js';
import { forwardChunks } from '../src/forms/chunks.js';
import { type ChunksResult, forwardParallel, isParallel } from '../src/forms/parallel.js';
import { fastGatedUpdate } from '../src/memory/fast-write.js';
import { foldedCrossAttention } from '../src/memory/folded-read.js';
import { gatedUpdate } from '../src/memory/gated-update.js';
import { linearScan } from '../src/memory/linear-scan.js';
import { initialMemory } from '../src/memory/slots.js';
import type { BlockParams, RsmParams } from '../src/parameters.js';
import type { RsmModel } from '../src/sequence-model.js';
import { difference, evaluate, lively, randomTokens, smallModel, treeDifference } from './support/models.js';

const engines = await Promise.all((['cpu', 'onnx'] as const).map((name) => createEngine(name)));
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});
const [cpu, onnx] = engines as [(typeof engines)[0], (typeof engines)[0]];

/** Largest difference, relative to the largest entry of all. */
function relative(actual: unknown, expected: unknown): number {
  const size = Math.max(
    ...treeLeaves<NDArray>(expected).map(({ leaf }) =>
      Math.max(...leaf.data.map((x) => Math.abs(Number(x)))),
    ),
  );
  const scaled = (tree: unknown) =>
    treeLeaves<NDArray>(tree).map(({ leaf }) => ({
      ...leaf,
      data: Float32Array.from(leaf.data, (x) => Number(x) / Math.min(1, size)),
    }));
  return treeDifference(scaled(actual), scaled(expected));
}

type Pair = (all: Record<string, tf.Tensor>, params: BlockParams) => tf.Tensor;

describe('fast forms of one block equal the plain ones, gradients included', () => {
  const rng = Rng.fromSeed(5);
  const shapes = [
    { d: 6, slots: 1, time: 1 },
    { d: 10, slots: 7, time: 3 },
    { d: 14, slots: 5, time: 33 },
  ];
  const rules = (identity: tf.Tensor, updateRule: 'gatedTanh' | 'linear') => ({
    slotIdentity: identity,
    updateRule,
  });
  const pairs: Record<string, { options: Partial<RsmOptions>; plain: Pair; fast: Pair }> = {
    'folded read': {
      options: {},
      plain: ({ x, memory }, { memoryRead }) => crossAttention(memoryRead, x!, memory!).output,
      fast: ({ x, memory }, { memoryRead }) => foldedCrossAttention(memoryRead, x!, memory!).output,
    },
    'hoisted write': {
      options: { useAttentionPooling: false, updateRule: 'gatedTanh' },
      plain: ({ x, memory }, { memoryWrite }) => gatedUpdate(memoryWrite, x!, memory!).memory,
      fast: ({ x, memory }, { memoryWrite }) => fastGatedUpdate(memoryWrite, x!, memory!).memory,
    },
    'folded pooling': {
      options: { useAttentionPooling: true, updateRule: 'gatedTanh', memoryRead: 'running' },
      plain: ({ x, memory, identity }, { memoryWrite }) =>
        gatedUpdate(memoryWrite, x!, memory!, rules(identity!, 'gatedTanh')).memory,
      fast: ({ x, memory, identity }, { memoryWrite }) =>
        fastGatedUpdate(memoryWrite, x!, memory!, rules(identity!, 'gatedTanh')).memory,
    },
    'folded pooling of the linear rule': {
      options: { useAttentionPooling: true, updateRule: 'linear' },
      plain: ({ x, memory, identity }, { memoryWrite }) =>
        gatedUpdate(memoryWrite, x!, memory!, rules(identity!, 'linear')).memory,
      fast: ({ x, memory, identity }, { memoryWrite }) =>
        fastGatedUpdate(memoryWrite, x!, memory!, rules(identity!, 'linear')).memory,
    },
  };
  const cases = Object.entries(pairs).flatMap(([name, pair]) =>
    shapes.map((shape) => [name, shape, pair] as const),
  );

  it.each(cases)('%s, %j', async (_name, { d, slots, time }, { options, plain, fast }) => {
    const model = smallModel({ ...options, hiddenSize: d, numMemorySlots: slots });
    const params = lively(model, 6).blocks[0]!;
    const inputs = {
      x: rng.normalArray([2, time, d]),
      memory: rng.normalArray([2, slots, d]),
      identity: rng.normalArray([slots, d]),
    };
    const run = (form: Pair) =>
      evaluate(
        cpu,
        ((weights: BlockParams, given: Record<string, tf.Tensor>) => {
          const { value, gradients, aux } = valueAndGradient(
            (all: { weights: BlockParams; given: Record<string, tf.Tensor> }) => {
              const output = form(all.given, all.weights);
              return [tf.sum(tf.sin(output)), { output }] as const;
            },
            { weights, given },
          );
          return { value, gradients, aux };
        }) as never,
        params,
        inputs,
      );
    const [expected, actual] = [await run(plain), await run(fast)] as unknown as {
      gradients: unknown;
      aux: unknown;
    }[];
    expect(relative(actual!.aux, expected!.aux)).toBeLessThan(1e-5);
    const dropped = (tree: unknown) =>
      Object.fromEntries(
        treeLeaves<NDArray>(tree)
          .filter(({ path }) => !/salienceKey\.bias$/.test(path))
          .map(({ path, leaf }) => [path.replaceAll('.', '/'), leaf]),
      );
    const [a, b] = [dropped(actual!.gradients), dropped(expected!.gradients)];
    expect(Object.keys(a).length).toBeGreaterThan(2);
    expect(relative(a, b)).toBeLessThan(1e-5);
  });

  it('the last place alone gets the logits that it has among all', async () => {
    const model = smallModel({});
    const result = (await evaluate(
      cpu,
      ((weights: RsmParams, ids: tf.Tensor2D) => {
        const all = forwardChunk(model.options, weights, ids).logits as tf.Tensor;
        const last = forwardChunk(model.options, weights, ids, undefined, { logits: 'last' })
          .logits as tf.Tensor;
        const second = forwardChunk(model.options, weights, ids, undefined, {
          logits: tf.tensor1d([1, 3], 'int32'),
        }).logits as tf.Tensor;
        const row = (text: number, place: number) => tf.slice(all, [text, place, 0], [1, 1, -1]);
        return {
          last,
          expected: tf.slice(all, [0, 4, 0], [-1, 1, -1]),
          second,
          expectedSecond: tf.concat([row(0, 1), row(1, 3)], 0),
        };
      }) as never,
      lively(model),
      randomTokens(2, 5, model.vocabSize),
    )) as unknown as Record<string, NDArray>;
    expect(difference(result.last!, result.expected!)).toBeLessThan(1e-6);
    expect(difference(result.second!, result.expectedSecond!)).toBeLessThan(1e-6);
  });
});

type Form = (model: RsmModel, params: RsmParams, tokens: tf.Tensor2D, memory: tf.Tensor) => ChunksResult;
const forms: Record<string, { fits: (model: RsmModel) => boolean; run: Form }> = {
  'fast loop': {
    fits: () => true,
    run: ({ options }, params, tokens, memory) => forwardChunks(options, params, tokens, memory),
  },
  parallel: {
    fits: ({ options }) => isParallel(options),
    run: ({ options }, params, tokens, memory) => forwardParallel(options, params, tokens, memory),
  },
  'parallel, doubling': {
    fits: ({ options }) => isParallel(options),
    run: ({ options }, params, tokens, memory) =>
      forwardParallel(options, params, tokens, memory, { scan: 'doubling' }),
  },
};

describe('forms of several chunks equal the plain chunk loop, gradients included', () => {
  const settings: Record<string, Partial<RsmOptions> & { chunks: number }> = {
    'one chunk': { preset: 'parallel', chunks: 1 },
    'more layers than chunks': { preset: 'parallel', numLayers: 4, chunks: 3 },
    'more chunks than layers': { preset: 'parallel', numLayers: 2, chunkSize: 3, chunks: 7 },
    'one layer, one slot': { preset: 'parallel', numLayers: 1, numMemorySlots: 1, chunks: 2 },
    'mean pooling': { preset: 'parallel', useAttentionPooling: false, chunks: 3 },
    'without identities': { preset: 'parallel', slotIdentity: false, chunks: 3 },
    causal: { preset: 'causal', chunks: 3 },
    'causal, mean pooling': { preset: 'causal', useAttentionPooling: false, hiddenSize: 18, chunks: 2 },
    parity: { preset: 'parity', useGlobalSync: false, chunks: 2 },
    'sliding window': { preset: 'causal', slidingWindow: 2, chunks: 2 },
    'rotary positions': { preset: 'parallel', positions: 'rotary', chunks: 3 },
    'causal, rotary positions': { preset: 'causal', positions: 'rotary', chunks: 2 },
  };
  const cases = Object.entries(settings).flatMap(([name, { chunks, ...options }]) => {
    const model = smallModel(options);
    return Object.entries(forms)
      .filter(([, { fits }]) => fits(model))
      .map(([form, { run }]) => [name, form, model, chunks, run] as const);
  });
  const plainRuns = new Map<string, Promise<unknown>>();

  it.each(cases)('%s: %s', async (name, _form, model, chunks, run) => {
    const params = lively(model, 8);
    const tokens = randomTokens(2, chunks * model.options.chunkSize, model.vocabSize, 9);
    const differentiate = (form: Form) =>
      evaluate(
        onnx,
        ((weights: RsmParams, ids: tf.Tensor2D) => {
          const { gradients, aux } = valueAndGradient((current: RsmParams) => {
            const memory = initialMemory(model.options, current, 2);
            const result = form(model, current, ids, memory);
            const value = tf.add(tf.sum(tf.sin(result.logits)), tf.sum(tf.sin(result.memory)));
            return [value, { logits: result.logits, memory: result.memory }] as const;
          }, weights);
          return { gradients, aux };
        }) as never,
        params,
        tokens,
      ) as Promise<{ gradients: unknown; aux: unknown }>;
    const plain: Form = ({ options }, weights, ids, memory) =>
      forwardChunks(options, weights, ids, memory, { form: 'plain' });
    if (!plainRuns.has(name)) plainRuns.set(name, differentiate(plain));
    const expected = (await plainRuns.get(name)!) as { gradients: unknown; aux: unknown };
    const actual = await differentiate(run);
    expect(treeDifference(actual.aux, expected.aux)).toBeLessThan(2e-5);
    expect(relative(actual.gradients, expected.gradients)).toBeLessThan(1e-5);
  });

  it.each(['sequential', 'doubling'] as const)(
    'the %s scan stays within 1e-6 of float64 over 64 chunks',
    async (form) => {
      const rng = Rng.fromSeed(3);
      const [chunks, width] = [64, 24];
      const decay = rng.uniformArray([1, chunks, width], 0.05, 0.999);
      const input = rng.uniformArray([1, chunks, width], -0.5, 0.5);
      const first = rng.normalArray([1, width]);
      const states = (await evaluate(
        cpu,
        ((a: tf.Tensor, b: tf.Tensor, s: tf.Tensor) => linearScan(a, b, s, form)) as never,
        decay,
        input,
        first,
      )) as unknown as NDArray;
      for (let column = 0; column < width; column++) {
        let state = first.data[column]!;
        for (let chunk = 0; chunk < chunks; chunk++) {
          const at = chunk * width + column;
          state = decay.data[at]! * state + input.data[at]!;
          expect(Math.abs(states.data[at]! - state)).toBeLessThan(3e-6);
        }
      }
    },
  );

  it('a form that does not fit is refused in one sentence', async () => {
    const tokens = randomTokens(1, 7, 11);
    const attempt = (options: Partial<RsmOptions>, run: Form) => {
      const model = smallModel(options);
      return evaluate(
        cpu,
        ((weights: RsmParams, ids: tf.Tensor2D) =>
          run(model, weights, ids, initialMemory(model.options, weights, 1)).memory) as never,
        model.init(Rng.fromSeed(1)),
        tokens,
      );
    };
    await expect(attempt({ preset: 'causal' }, forms.parallel!.run)).rejects.toThrow(
      'The parallel form needs',
    );
    await expect(attempt({}, forms.parallel!.run)).rejects.toThrow('Whole chunks of 5 tokens');
  });
});
