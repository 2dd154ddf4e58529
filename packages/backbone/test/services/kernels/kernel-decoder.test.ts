import { StepDecoder } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, StoredArray, StoredMatrix } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransformerState } from '../../../src/cache.js';
import { FusedDecoder } from '../../../src/fused-decoder.js';
import type { TransformerOptions } from '../../../src/index.js';
import { KernelDecoder } from '../../../src/kernels/decoder.js';
import { hasKernels } from '../../../src/kernels/kernels.js';
import { fitsKernels, KernelMatrices } from '../../../src/kernels/weights.js';
import { frozenModel } from '../../frozen-model.js';
import { expectToGoOn } from '../../goes-on.js';
import { maxDifference, randomTokens } from '../../helpers.js';

let engine: Engine;
let twoThreads: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
  twoThreads = await createEngine('onnx', { threads: 2 });
});
afterAll(async () => {
  await engine.dispose();
  await twoThreads.dispose();
});

const text = (count: number, seed: number) => [...randomTokens(1, count, seed).data];

const llama: Partial<TransformerOptions> = {
  ...{ positions: 'rotary', norm: 'rms', activation: 'swiglu', keyValueHeads: 2 },
  ...{ modelWidth: 64, mlpWidth: 96, headWidth: 16, context: 300 },
};
const families: Record<string, Partial<TransformerOptions>> = {
  llama,
  'a head of its own, biases of the projections, a stretched rotation': {
    ...llama,
    ...{ queryKeyValueBias: true, tiedHead: false, rotaryScaling: { kind: 'linear', factor: 3 } },
  },
  'norms of queries and keys, a layer without rotation, scaled embeddings': {
    ...llama,
    ...{ queryKeyNorm: true, unrotatedLayers: [1], embeddingScale: 3 },
  },
  'a window with sinks': { ...llama, window: 290, sinks: 4 },
};

const bits = ([32, 8, 4] as const).filter(hasKernels);
if (!bits.includes(8))
  console.warn('Weights of 8 bits: not run, this processor or Node.js cuts sums of products off.');

describe.each(bits)('decoding by kernels with weights of %i bits', (width) => {
  const frozen = (options: Partial<TransformerOptions>) =>
    frozenModel(options, width === 32 ? undefined : width);

  /**
   * A graph beside it. Where weights have 4 bits it rounds activations as the kernels do, where they have 32 it does not. Where they have 8 it rounds more of them, so that
   * it is farther from what the weights say than the kernels are: a graph of the same weights in 32 bits tells how far those are.
   */
  async function graphOf(options: Partial<TransformerOptions>): Promise<StepDecoder> {
    const { model, others } = width === 8 ? frozenModel(options, 8, true) : frozen(options);
    return await StepDecoder.create(engine, model, others);
  }

  /**
   * What activations of 8 bits lose, or where both round them alike, what falls on the other side of a half; with 32 bits what sums
   * lose that are made in another order.
   */
  const bound = { 32: 3e-5, 8: 0.1, 4: 0.04 }[width];
  function expectClose(found: Float32Array, expected: Float32Array): void {
    const largest = Math.max(...expected.map(Math.abs));
    expect(maxDifference([...found], [...expected])).toBeLessThan(bound * largest);
  }

  /** Of few bits to the bit; with 32 bits prompts are multiplied by the runtime, and single tokens here. */
  const expectSame = (found: Float32Array, expected: Float32Array) =>
    width === 32 ? expectClose(found, expected) : expect(found).toEqual(expected);

  it.each(Object.entries(families))('gives the logits of the graph at any length: %s', async (_, options) => {
    const { model, others } = frozen(options);
    const general = await graphOf(options);
    const decoder = await model.decoder!(engine, others);
    expect(decoder).toBeInstanceOf(KernelDecoder);
    // Beyond 256 the cache grows, beyond 300 the oldest entries make room.
    const pieces = [text(20, 1), text(1, 2), text(1, 3), text(131, 4), text(1, 5), text(110, 6), text(99, 7)];
    for (const ids of pieces) expectClose(await decoder.read(ids), await general.read(ids));
    expect(decoder.stateBytes).toBe(general.stateBytes);
    await general.dispose();
    await decoder.dispose();
  });

  it('gives the same with two threads, however the text was cut', async () => {
    const { model, others } = frozen(llama);
    const [one, two] = [await model.decoder!(engine, others), await model.decoder!(twoThreads, others)];
    const [ids, more] = [text(150, 1), text(40, 2)];
    const [first, second] = [await one.read(ids), await two.read(ids)];
    expectSame(second, first);
    for (const id of more) expectSame(await two.read([id]), await one.read([id]));
    const other = await one.fork();
    await other.reset();
    let last = first;
    for (const id of [...ids, ...more]) last = await other.read([id]);
    await one.reset();
    expectSame(await one.read([...ids, ...more]), last);
    for (const decoder of [one, two, other]) await decoder.dispose();
  });

  it('gives a memory that a graph goes on from, and takes one, wherever its entries lie', async () => {
    for (const options of [llama, families['a window with sinks']!]) {
      const { model, others } = frozen(options);
      const decoder = await model.decoder!(engine, others);
      const general = await graphOf(options);
      for (const ids of [text(50, 1), text(260, 2), text(330, 4)]) {
        await decoder.reset();
        await decoder.read(ids);
        const state = (await decoder.state()) as TransformerState<NDArray>;
        expect(state.position.data[0]).toBe(ids.length);
        await general.restore(state);
        const next = text(5, 3);
        expectClose(await decoder.read(next), await general.read(next));
        await general.reset();
        await general.read(ids);
        await decoder.restore(await general.state());
        expectClose(await decoder.read(next), await general.read(next));
      }
      await general.dispose();
      await decoder.dispose();
    }
  });

  it('is forked, saved and restored, and goes on bit for bit', () => expectToGoOn(engine, frozen(llama)));

  it('needs no more memory after a thousand tokens than after the first three hundred', async () => {
    const { model, others, matrices } = frozen({ ...llama, window: 250, sinks: 4 });
    const decoder = await model.decoder!(engine, others);
    const placed = KernelMatrices.of(matrices, 1);
    const held = () => [engine.memory(), decoder.stateBytes, placed.kernels.numbers.length];
    await decoder.read(text(300, 1));
    const before = held();
    for (const id of text(1000, 2)) await decoder.read([id]);
    expect(held()).toEqual(before);
    placed.release();
    await decoder.dispose();
  });

  it('leaves a memory without its first tokens to a graph', async () => {
    const options = { ...llama, window: 20, sinks: 4 };
    const { model, others } = frozen(options);
    const decoder = await model.decoder!(engine, others);
    const general = await graphOf(options);
    await general.read(text(40, 1));
    const state = (await general.state()) as TransformerState<NDArray>;
    (state.positions!.data as Int32Array)[1] = -1;
    await general.restore(state);
    await decoder.restore(state);
    expectClose(await decoder.read(text(3, 2)), await general.read(text(3, 2)));
    const fork = await decoder.fork();
    expectClose(await fork.read(text(2, 5)), await general.read(text(2, 5)));
    await decoder.reset();
    await general.reset();
    expectClose(await decoder.read(text(3, 2)), await general.read(text(3, 2)));
    const wrong = { ...state, position: { ...state.position, data: Int32Array.of(-3) } };
    await expect(decoder.restore(wrong)).rejects.toThrow('The memory holds a position below 0');
    for (const each of [decoder, fork, general]) await each.dispose();
  });

  it('lets others take turns while a long prompt is read', async () => {
    const { model, others } = frozen({ ...llama, context: 20_000 });
    const decoder = await model.decoder!(engine, others);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await decoder.read(text(6000, 1));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
    await decoder.dispose();
  });
});

it('other shapes, other engines and evictable caches are left to graphs', async () => {
  const others: Partial<TransformerOptions>[] = [
    { ...llama, mlpWidth: 88 },
    { ...llama, activation: 'geglu' },
    { ...llama, localLayers: [1] },
    { ...llama, norm: 'layer' },
  ];
  for (const options of others) {
    const { model, others: rest } = frozenModel(options, 4);
    const decoder = await model.decoder!(engine, rest);
    expect(decoder).toBeInstanceOf(FusedDecoder);
    await decoder.dispose();
  }
  const { model, others: rest } = frozenModel(llama, 4);
  const evictable = await model.withCache({ evictable: true, capacity: 16 }).decoder!(engine, rest);
  expect(evictable).toBeInstanceOf(StepDecoder);
  await evictable.dispose();
});

it('models beyond the 4 GiB that addresses reach are left to graphs', () => {
  const fits = (vocabSize: number) => {
    const { model, matrices } = frozenModel(llama);
    const options = { ...model.options, vocabSize };
    const table = new StoredMatrix(new StoredArray('absent', 0, [vocabSize, 64], 'float32'));
    return fitsKernels(engine, options, new Map(matrices).set('tokenEmbedding', table));
  };
  expect(fits(2 ** 23)).toBe(true);
  expect(fits(2 ** 24)).toBe(false);
});
