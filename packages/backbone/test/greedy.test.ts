import { InputError, type NDArray, ndarray, type tf, treeMap } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  continueGreedily,
  emptyState,
  GreedyDecoder,
  type TransformerOptions,
  type TransformerParameters,
  type TransformerState,
} from '../src/index.js';
import { engines, forwardLogits, livelyModel, maxDifference, randomTokens, withEngine } from './helpers.js';

const prompts = [[1, 5, 2, 9, 4, 4, 7, 20, 3, 11, 6], [8], [3, 3, 17, 0, 22, 6, 1, 12, 2]];
const variants = {
  'learned positions': { positions: 'learned', context: 20 },
  'rotary positions and grouped heads': { positions: 'rotary', keyValueHeads: 2, context: 20 },
  'a window and sinks': { window: 4, sinks: 2, context: 20 },
  'an evictable cache': { evictable: true, window: 5, sinks: 0, context: 20 },
} as const;

describe.each(engines)('greedy decoding on %s', (name) => {
  it.each(Object.entries(variants))(
    'several prompts give what each gives alone: %s',
    async (_what, options) => {
      await withEngine(name, async (engine) => {
        const { model, params } = livelyModel(options);
        const device = engine.put(params);
        const before = engine.memory().arrays;
        const together = await continueGreedily(engine, model, device, prompts, 8);
        expect(together.map(({ length }) => length)).toEqual([8, 8, 8]);
        for (const [index, prompt] of prompts.entries()) {
          expect(await continueGreedily(engine, model, device, prompt, 8)).toEqual(together[index]);
        }
        expect(engine.memory().arrays).toBe(before);
      });
    },
  );

  // With little room the prompt is read in exact pieces, with more behind padding.
  it.each([20, 40])(
    'takes the likeliest token of a whole pass, context %i, and ends where it is told',
    async (context) => {
      await withEngine(name, async (engine) => {
        const { model, params } = livelyModel({ context });
        const text = [...prompts[0]!];
        const expected: number[] = [];
        for (let step = 0; step < 5; step++) {
          const logits = await forwardLogits(engine, model, params, ndarray(text, [1, text.length], 'int32'));
          const last = Array.from(logits.slice(-model.vocabSize));
          expected.push(last.indexOf(Math.max(...last)));
          text.push(expected.at(-1)!);
        }
        const ids = (options = {}) => continueGreedily(engine, model, params, prompts[0]!, 5, options);
        expect(await ids()).toEqual(expected);
        const end = expected.findIndex((id, index) => index > 0 && expected.indexOf(id) === index);
        expect(await ids({ endIds: [expected[end]!] })).toEqual(expected.slice(0, end + 1));
        expect(await continueGreedily(engine, model, params, prompts, 0)).toEqual([[], [], []]);
      });
    },
  );

  it('a prefix of each prompt is its own', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ context: 30, positions: 'rotary' });
      const numbers = randomTokens(1, 2 * 2 * 16).data;
      const prefix = ndarray(
        Float32Array.from(numbers, (id) => (id - 11) / 6),
        [2, 2, 16],
      );
      const alone = (index: number) => ndarray(prefix.data.slice(32 * index, 32 * index + 32), [1, 2, 16]);
      const both = await continueGreedily(engine, model, params, prompts.slice(0, 2), 6, {
        softPrefix: prefix,
      });
      for (const index of [0, 1]) {
        const options = { softPrefix: alone(index) };
        expect(await continueGreedily(engine, model, params, prompts[index]!, 6, options)).toEqual(
          both[index],
        );
      }
      const shared = await continueGreedily(engine, model, params, prompts.slice(0, 2), 6, {
        softPrefix: alone(0),
      });
      expect(shared[0]).toEqual(both[0]);
    });
  });
});

describe('pieces of a prompt', () => {
  it.each<Partial<TransformerOptions>>([
    { positions: 'rotary' },
    { positions: 'learned' },
    { positions: 'sinusoidal' },
    { positions: 'rotary', window: 60, sinks: 2 },
  ])('behind padding leave the logits of a whole pass, $positions', async (options) => {
    await withEngine('onnx', async (engine) => {
      const { model, params } = livelyModel({ context: 90, ...options });
      for (const length of [2, 7, 9, 16, 18, 40, 66]) {
        const text = Array.from({ length }, (_, index) => (5 * index + (index >> 2)) % 23);
        const all = await forwardLogits(engine, model, params, ndarray(text, [1, length], 'int32'));
        let seen: Float32Array | undefined;
        const choose = (logits: Float32Array) => {
          seen = logits;
          return 0;
        };
        await continueGreedily(engine, model, params, text, 1, { choose });
        expect(maxDifference(seen!, all.slice(-model.vocabSize))).toBeLessThan(1e-4);
      }
    });
  });
});

describe('graphs of greedy decoding', () => {
  it('are kept between calls and serve prompts of all lengths', async () => {
    await withEngine('onnx', async (engine) => {
      const { model, params } = livelyModel({ context: 100 });
      const prompt = Array.from({ length: 75 }, (_, index) => index % 23);
      const first = await continueGreedily(engine, model, params, prompt, 3);
      // 75 = 11 of 16 rows and 64; fewer have 8 rows.
      await continueGreedily(engine, model, params, prompt.slice(0, 4), 3);
      const { graphs } = engine.memory();
      expect(graphs).toBeGreaterThan(0);
      for (let length = 1; length < 75; length += 7)
        await continueGreedily(engine, model, params, prompt.slice(0, length), 3);
      expect(await continueGreedily(engine, model, params, prompt, 3)).toEqual(first);
      expect(engine.memory().graphs).toBe(graphs);

      const decoder = new GreedyDecoder(engine, model);
      expect(await decoder.continue(params, [prompt], 3)).toEqual([first]);
      expect(engine.memory().graphs).toBeGreaterThan(graphs);
      await decoder.dispose();
      expect(engine.memory().graphs).toBe(graphs);
    });
  });

  it('says what is wrong with prompts', async () => {
    await withEngine('cpu', async (engine) => {
      const { model, params } = livelyModel({ positions: 'learned' });
      const run = (list: number[][], count = 3, options = {}) =>
        new GreedyDecoder(engine, model).continue(params, list, count, options);
      const cases: [() => Promise<unknown>, RegExp][] = [
        [() => run([]), /At least one prompt/],
        [() => continueGreedily(engine, model, params, [], 3), /at least one token/],
        [() => run([[1], []]), /Prompt 1 needs at least one token/],
        [() => run([[1, 23]]), /id 23 at place 1.*0 to 22/],
        [() => run([[1, 1.5]]), /id 1.5 at place 1/],
        [() => run([[1]], -1), /new tokens.*-1/],
        [() => run([Array(13).fill(1)]), /13 rows.*12 learned positions/],
        [
          () => run([[1], [2]], 3, { softPrefix: ndarray(new Float32Array(96), [3, 2, 16]) }),
          /'softPrefix'.*\[3, 2, 16\]/,
        ],
      ];
      for (const [attempt, message] of cases) {
        await expect(attempt()).rejects.toThrow(InputError);
        await expect(attempt()).rejects.toThrow(message);
      }
    });
  });
});

describe.each(engines)('a state made by hand, on %s', (name) => {
  const wrong: [string, object, (state: TransformerState<NDArray>) => unknown, RegExp][] = [
    [
      'keys of other slots',
      {},
      (s) => patched(s, 'layers.1.keys', [2, 4, 11, 4]),
      /'layers.1.keys' needs float32 \[2, 4, 12, 4\], but float32 \[2, 4, 11, 4\]/,
    ],
    ['values of other heads', {}, (s) => patched(s, 'layers.0.values', [2, 1, 12, 4]), /'layers.0.values'/],
    [
      'float positions',
      {},
      (s) => ({ ...s, positions: ndarray(new Float32Array(24), [2, 1, 12]) }),
      /'positions' needs int32 \[2, 1, 12\], but float32/,
    ],
    [
      'no positions',
      {},
      ({ positions: _, ...rest }) => rest,
      /'positions' needs int32 \[2, 1, 12\], but nothing/,
    ],
    ['no position', {}, ({ position: _, ...rest }) => rest, /'position' needs int32 \[2\], but nothing/],
    ['one layer', {}, (s) => ({ ...s, layers: s.layers.slice(1) }), /needs 2 layers, but has 1/],
    [
      'positions in an evictable state',
      { evictable: true },
      (s) => ({ ...s, positions: ndarray(new Int32Array(24), [2, 1, 12], 'int32') }),
      /has 'positions'.*per layer/,
    ],
    ['another number of texts', {}, (s) => patched(s, 'position', [3]), /holds 3 texts, but 2/],
  ];
  it.each(wrong)('is refused in one sentence: %s', async (_what, options, spoil, message) => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel(options);
      const state = spoil(emptyState(model.options, 2));
      const forward = engine.compile((p: TransformerParameters, tokens: tf.Tensor2D, s: TransformerState) =>
        model.forward(p, tokens, s, { training: false }),
      );
      const attempt = () => forward(params as never, randomTokens(2, 3), state as never);
      await expect(attempt()).rejects.toThrow(InputError);
      await expect(attempt()).rejects.toThrow(message);
    });
  });
});

/** The state with another shape at a path. */
function patched(state: object, at: string, shape: readonly number[]): unknown {
  return treeMap(state, (leaf: { dtype: 'int32' | 'float32' }, path) => {
    if (path !== at) return leaf;
    const size = shape.reduce((product, extent) => product * extent, 1);
    return ndarray(new Array<number>(size).fill(0), shape, leaf.dtype);
  });
}
