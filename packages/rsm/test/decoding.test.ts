import { stateBytes } from '@palimpsest/lm';
import { createEngine, type NDArray, ndarray, type tf } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  CausalDecoder,
  createRsmModel,
  type RsmOptions,
  type RsmParams,
  type RsmState,
  stateBytesOf,
} from '../src/index.js';
import { columns, lively, randomTokens, small, smallModel, toHost, wirings } from './support/models.js';

const engines = await Promise.all((['cpu', 'onnx'] as const).map((name) => createEngine(name)));
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});
const [, onnx] = engines;

/** The first texts of a batch. */
const firstRows = ({ data, shape, dtype }: NDArray, batch: number): NDArray =>
  ({
    data: data.slice(0, (batch * data.length) / shape[0]!),
    shape: [batch, ...shape.slice(1)],
    dtype,
  }) as NDArray;

const cases = engines.flatMap((engine) =>
  Object.entries(wirings)
    .filter(([wiring]) => !wiring.endsWith('sliding window'))
    .filter(
      ([wiring]) =>
        engine.name === 'cpu' || ['parallel', 'shared memory', 'sync', 'rotary positions'].includes(wiring),
    )
    .map(([wiring, options]) => [engine.name, wiring, engine, options] as const),
);

describe('cached decoding', () => {
  it.each(cases)(
    'on %s, %s: equals the step, also around prompts',
    async (_name, _wiring, engine, options) => {
      const model = smallModel(options);
      const params = lively(model);
      const tokens = randomTokens(2, 24, model.vocabSize);
      const run = engine.compile((weights: RsmParams, token: tf.Tensor1D, state: RsmState) => {
        const { logits, state: next } = model.step(weights, token, state);
        return { logits: logits as tf.Tensor, state: next };
      });
      const init = engine.compile((weights: RsmParams) => model.initState(weights, 2));
      let state = await toHost(await init(params as never));
      const expected: NDArray[] = [];
      const token = (place: number) => Int32Array.of(tokens.data[place]!, tokens.data[24 + place]!);
      for (let place = 0; place < 24; place++) {
        const result = (await toHost(
          await run(params as never, ndarray(token(place), [2], 'int32') as never, state as never),
        )) as { logits: NDArray; state: unknown };
        expected.push(result.logits);
        ({ state } = result);
      }
      const before = engine.memory().arrays;
      for (const [batch, form] of [
        [2, 'graph'],
        [1, 'graph'],
        [1, 'host'],
      ] as const) {
        const decoder = await CausalDecoder.create({ engine, model, params, batch, tokens: form });
        await compare(decoder, batch);
        await decoder.dispose();
        expect(engine.memory().arrays).toBe(before);
      }

      async function compare(decoder: CausalDecoder, batch: number) {
        for (const prompts of [
          [],
          [[0, 7]],
          [
            [3, 5],
            [9, 12],
          ],
        ] as const) {
          await decoder.reset();
          for (let place = 0; place < 24; ) {
            const prompt = prompts.find(([from]) => from === place);
            const size = prompt ? prompt[1] : 1;
            const logits = prompt
              ? await decoder.prefill(firstRows(columns(tokens, place, size), batch))
              : await decoder.next(token(place).subarray(0, batch));
            place += size;
            const target = firstRows(expected[place - 1]!, batch).data;
            expect(logits.length).toBe(target.length);
            const scale = Math.max(1, ...target.map((value) => Math.abs(Number(value))));
            logits.forEach((value, index) => {
              expect(Math.abs(value - Number(target[index]))).toBeLessThan(2e-5 * scale);
            });
          }
        }
      }
    },
  );

  it('decodes on the processor by default where it can, and says what it cannot', async () => {
    const create = (options: Partial<RsmOptions>, more: object = {}) => {
      const model = smallModel(options);
      return CausalDecoder.create({ engine: onnx!, model, params: lively(model), ...more });
    };
    const forms = [await create({}), await create({}, { batch: 2 }), await create({ hiddenSize: 6 })];
    expect(forms.map(({ runsOn }) => runsOn)).toEqual(['host', 'graph', 'graph']);
    for (const decoder of forms) await decoder.dispose();
    const message = 'take one text, a hiddenSize and a head width that are multiples of 4';
    await expect(create({}, { batch: 2, tokens: 'host' })).rejects.toThrow(message);
    await expect(create({ hiddenSize: 6 }, { tokens: 'host' })).rejects.toThrow(message);
  });

  it('on the processor equals the graph for sizes at the edge of a vector', async () => {
    const edges: Partial<RsmOptions>[] = [
      { hiddenSize: 4, numHeads: 1, numMemorySlots: 1, windowSize: 2, vocabSize: 2, numLayers: 1 },
      { hiddenSize: 12, numHeads: 3, numMemorySlots: 5, windowSize: 9, vocabSize: 67 },
      { hiddenSize: 40, numHeads: 2, numMemorySlots: 6, windowSize: 33, vocabSize: 5, positions: 'rotary' },
    ];
    for (const options of edges) {
      const model = smallModel(options);
      const params = lively(model, 3);
      const { windowSize, vocabSize } = model.options;
      const [host, graph] = await Promise.all(
        (['host', 'graph'] as const).map((tokens) =>
          CausalDecoder.create({ engine: onnx!, model, params, tokens }),
        ),
      );
      for (let place = 0; place < 2 * windowSize + 1; place++) {
        const token = [(7 * place) % vocabSize];
        const [a, b] = [await host!.next(token), await graph!.next(token)];
        expect(a.length).toBe(vocabSize);
        a.forEach((value, index) => {
          expect(Math.abs(value - b[index]!)).toBeLessThan(2e-5 * Math.max(1, Math.abs(b[index]!)));
        });
      }
      await host!.dispose();
      await graph!.dispose();
    }
  });

  it('refuses what cannot be cached', async () => {
    const create = (options: Parameters<typeof smallModel>[0]) => {
      const model = smallModel(options);
      return CausalDecoder.create({ engine: engines[0]!, model, params: lively(model) });
    };
    await expect(create({ preset: 'parity' })).rejects.toThrow(
      "The preset 'parity' cannot be decoded from caches",
    );
    await expect(create({ slidingWindow: 2 })).rejects.toThrow('sees whole chunks');
  });

  it.each(['host', 'graph'] as const)('by the %s holds the same memory over 1,000 tokens', async (tokens) => {
    const model = createRsmModel({ ...small, hiddenSize: 64, windowSize: 64, numLayers: 4 });
    const decoder = await CausalDecoder.create({ engine: onnx!, model, params: lively(model), tokens });
    for (let place = 0; place < 128; place++) await decoder.next([place % 11]);
    const { arrays, bytes } = onnx!.memory();
    for (let place = 128; place < 1000; place++) await decoder.next([place % 11]);
    await decoder.prefill(randomTokens(1, 64 - (1000 % 64), 11));
    expect(onnx!.memory()).toMatchObject({ arrays, bytes });
    await decoder.dispose();
  });
});

describe('the state', () => {
  it.each([...Object.entries(wirings), ['parity', { preset: 'parity', useGlobalSync: false }] as const])(
    'of %s has the bytes that the formula says',
    async (_wiring, options) => {
      const model = smallModel(options);
      expect(await stateBytes(model)).toBe(stateBytesOf(model.options));
      expect(await stateBytes(model, 3)).toBe(3 * stateBytesOf(model.options));
    },
  );

  it('holds 4 B L m d bytes of memory and 8 B L C d of keys and values, and what pooling needs', () => {
    const { options } = createRsmModel({ vocabSize: 65, hiddenSize: 256, numLayers: 8, windowSize: 256 });
    const memory = 4 * 8 * 32 * 256;
    const cache = 8 * 8 * 256 * 256;
    const pool = 4 * 8 * (32 * 256 + 2 * 32);
    expect(stateBytesOf(options)).toBe(memory + cache + pool + 4);
  });
});
