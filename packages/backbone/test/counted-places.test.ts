import { type AnySequenceModel, type Batch, type BatchSource, train } from '@palimpsest/lm';
import { InputError, type NDArray, ndarray, runOnce, type tf } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { engines, livelyModel, maxDifference, withEngine } from './helpers.js';

const { model, params } = livelyModel();
const { vocabSize } = model;

const ids = (shape: readonly [number, number], factor: number) =>
  ndarray(
    Int32Array.from({ length: shape[0] * shape[1] }, (_, i) => (factor * i + 3) % vocabSize),
    shape,
    'int32',
  );

/** Two batches of different shapes; place 0 stands in the list once more than it counts, as filling does. */
function batches(): Batch[] {
  return [
    [2, 6],
    [3, 4],
  ].map(([rows, time]) => ({
    inputs: ids([rows!, time!], 5),
    targets: ids([rows!, time!], 7),
    resets: ndarray(new Int32Array(rows!).fill(1), [rows!], 'int32'),
    counted: {
      places: ndarray(Int32Array.of(11, 2, 0, 7, 0), [5], 'int32'),
      weights: ndarray(Float32Array.of(1, 0.25, 0.5, 1, 0), [5]),
    },
  }));
}

function source(left: Batch[] = batches()): BatchSource {
  return {
    batch: 3,
    time: 6,
    carriesState: false,
    hasIgnoredTargets: true,
    next: () => left.shift()!,
    cursor: () => ({}),
    seek: () => {},
  };
}

/** Σ weight · −log p(target) / Σ weight, in plain loops over the logits of all places. */
function expected({ targets, counted }: Batch, logits: ArrayLike<number>): number {
  let [sum, total] = [0, 0];
  counted!.places.data.forEach((place, i) => {
    const row = Array.from({ length: vocabSize }, (_, k) => logits[place * vocabSize + k]!);
    const most = Math.max(...row);
    const norm = most + Math.log(row.reduce((all, value) => all + Math.exp(value - most), 0));
    const weight = counted!.weights.data[i]!;
    sum += weight * (norm - row[targets.data[place]!]!);
    total += weight;
  });
  return sum / total;
}

describe('a loss at places that are listed', () => {
  it.each(engines)(
    'is the weighted mean there, and its gradient the same from few logits and from all (%s)',
    async (name) => {
      await withEngine(name, async (engine) => {
        const plain: AnySequenceModel = {
          ...model,
          forward: (weights, tokens, state, context) =>
            model.forward(weights as never, tokens, state as never, { ...context, places: undefined }),
        } as AnySequenceModel;
        const learn = async (learner: AnySequenceModel) => {
          const losses: number[] = [];
          const settings = { steps: 2, learningRate: 0.05, telemetry: false };
          let norm = 0;
          for await (const event of train({ engine, model: learner, source: source(), params, settings })) {
            if (event.type !== 'step') continue;
            losses.push(event.loss);
            norm = event.gradientNorm;
          }
          return [...losses, norm];
        };
        const [few, all] = [await learn(model as unknown as AnySequenceModel), await learn(plain)];
        const [first] = batches();
        const logits = await runOnce(
          engine,
          (weights: typeof params, tokens: tf.Tensor) =>
            model.run(weights as never, { tokens }, model.initState(weights as never, 2)).logits!,
          params,
          first!.inputs,
        );
        expect(few[0]).toBeCloseTo(expected(first!, logits.data), 4);
        for (const [i, value] of few.entries()) expect(value).toBeCloseTo(all[i]!, 4);
      });
    },
  );

  const tokens = ids([2, 6], 5);
  const places = ndarray(Int32Array.of(11, 2, 0, 7, 0), [5], 'int32');
  const rowsOf = (logits: NDArray<'float32'>) =>
    [...places.data].flatMap((place) => [...logits.data.slice(place * vocabSize, (place + 1) * vocabSize)]);

  it.each(engines)(
    'are the rows of all logits there, in their order, and no others are computed (%s)',
    async (name) => {
      await withEngine(name, async (engine) => {
        const forward = (weights: typeof params, read: tf.Tensor, wanted?: tf.Tensor) =>
          model.forward(weights as never, read as tf.Tensor2D, model.initState(weights as never, 2), {
            training: false,
            places: wanted as tf.Tensor1D | undefined,
          });
        const all = await runOnce(engine, forward, params, tokens);
        expect([all.logits.shape, all.placed]).toEqual([[2, 6, vocabSize], undefined]);
        const few = await runOnce(engine, forward, params, tokens, places);
        expect([few.logits.shape, few.placed!.shape]).toEqual([
          [1, 5, vocabSize],
          [5, vocabSize],
        ]);
        expect(maxDifference(few.placed!.data, rowsOf(all.logits as never))).toBeLessThan(1e-5);
        expect(few.logits.data).toEqual(few.placed!.data);
      });
    },
  );

  it.each(engines)('are read out of the hidden states of all positions (%s)', async (name) => {
    await withEngine(name, async (engine) => {
      const run = (weights: typeof params, read: tf.Tensor, wanted?: tf.Tensor) => {
        const { logits, hidden } = model.run(
          weights as never,
          { tokens: read as tf.Tensor2D },
          model.initState(weights as never, 2),
          { hidden: true, logits: (wanted as tf.Tensor1D | undefined) ?? 'all' },
        );
        return { logits: logits!, last: hidden!.at(-1)! };
      };
      const all = await runOnce(engine, run, params, tokens);
      const few = await runOnce(engine, run, params, tokens, places);
      expect([few.logits.shape, few.last.shape]).toEqual([[1, 5, vocabSize], all.last.shape]);
      expect(maxDifference(few.logits.data, rowsOf(all.logits as never))).toBeLessThan(1e-5);
      expect(maxDifference(few.last.data, all.last.data)).toBeLessThan(1e-6);
    });
  });

  it.each(engines)(
    'are refused when they are no list of positions, or name one that is not there (%s)',
    async (name) => {
      await withEngine(name, async (engine) => {
        const run = (weights: typeof params, read: tf.Tensor, wanted: tf.Tensor) =>
          model.run(weights as never, { tokens: read as tf.Tensor2D }, model.initState(weights as never, 2), {
            logits: wanted as tf.Tensor1D,
          }).logits!;
        const asked = (wanted: NDArray) => runOnce(engine, run, params, tokens, wanted);
        await expect(asked(ndarray(Float32Array.of(1, 2), [2]))).rejects.toThrow(
          'int32 [count], at least one, but got float32 [2]',
        );
        await expect(asked(ndarray(Int32Array.of(1, 2), [1, 2], 'int32'))).rejects.toThrow(
          'got int32 [1, 2]',
        );
        await expect(asked(ndarray(Int32Array.of(12), [1], 'int32'))).rejects.toThrow();
        // A trainer looks before an engine does.
        const weights = ndarray(Float32Array.of(1), [1]);
        for (const [counted, message] of [
          [
            { places: ndarray(Int32Array.of(12), [1], 'int32'), weights },
            'place 12 is outside the 12 positions',
          ],
          [{ places: ndarray(Int32Array.of(-1), [1], 'int32'), weights }, 'place -1 is outside'],
          [{ places, weights }, 'int32 [5] with float32 [1]'],
          [{ places: ndarray(Float32Array.of(1), [1]) as never, weights }, 'float32 [1] with float32 [1]'],
          [
            { places: ndarray(Int32Array.of(1), [1], 'int32'), weights: ndarray(Float32Array.of(0), [1]) },
            'all are 0',
          ],
          [
            { places: ndarray(Int32Array.of(1), [1], 'int32'), weights: ndarray(Float32Array.of(-2), [1]) },
            'one is -2',
          ],
        ] as const) {
          const settings = { steps: 1, learningRate: 0.05 };
          const learning = async () => {
            const wrong = source([{ ...batches()[0]!, counted }]);
            for await (const _ of train({ engine, model: model as never, source: wrong, params, settings }));
          };
          await expect(learning()).rejects.toThrow(InputError);
          await expect(learning()).rejects.toThrow(message);
        }
      });
    },
  );
});
