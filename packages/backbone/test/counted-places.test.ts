import { type AnySequenceModel, type Batch, type BatchSource, train } from '@palimpsest/lm';
import { ndarray, runOnce, type tf } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { engines, livelyModel, withEngine } from './helpers.js';

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

function source(): BatchSource {
  const left = batches();
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
});
