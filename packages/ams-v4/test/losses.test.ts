import {
  createEngine,
  type NDArray,
  ndarray,
  normalise,
  Rng,
  runOnce,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  along,
  bundleAxisAlignment,
  type TripletWeights,
  tripletWeights,
} from '../src/losses/bundle-axis-alignment.js';
import { correlations } from '../src/losses/correlations.js';
import { crossBundleIndependence } from '../src/losses/cross-bundle-independence.js';
import { fiberStatistics } from '../src/losses/fiber-statistics.js';
import { writePolicy } from '../src/losses/write-policy.js';

const ROWS = 4;
const WIDTHS = { timeBase: 3, timeFiber: 4, topicBase: 3, topicFiber: 6, ctxBase: 3, ctxFiber: 5 } as const;
type Name = keyof typeof WIDTHS;
const NAMES = Object.keys(WIDTHS) as Name[];
const AXES = { time: [0.6, -0.8, 0], ctx: [0, 0.6, 0.8] };
/** Anchor, positive, negative. */
const TRIPLETS = [
  [0, 2, 1],
  [1, 0, 3],
  [3, 2, 3],
] as const;
const SHARE = 0.25;

type Values = Readonly<Record<Name, readonly (readonly number[])[]>>;

function drawn(): Values {
  const rng = Rng.fromSeed(8);
  const rows = (width: number) =>
    Array.from({ length: ROWS }, () => Array.from({ length: width }, () => 0.6 * rng.normal()));
  return {
    timeBase: rows(WIDTHS.timeBase),
    timeFiber: rows(WIDTHS.timeFiber),
    topicBase: rows(WIDTHS.topicBase),
    topicFiber: rows(WIDTHS.topicFiber),
    ctxBase: rows(WIDTHS.ctxBase),
    ctxFiber: rows(WIDTHS.ctxFiber),
  };
}

const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
const mean = (list: readonly number[]) => sum(list) / list.length;
const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((x, i) => x * b[i]!));
const unit = (row: readonly number[]) => row.map((x) => x / Math.hypot(...row));
const relu = (x: number) => Math.max(0, x);

function pearson(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [a.map((value) => value - mean(a)), b.map((value) => value - mean(b))];
  return dot(x, y) / Math.max(Math.sqrt(dot(x, x) * dot(y, y)), 1e-8);
}

/** The three losses in plain numbers. */
function plain({ timeBase, timeFiber, topicBase, topicFiber, ctxBase, ctxFiber }: Values): number[] {
  const topics = topicBase.map(unit);
  const fibers = [timeFiber, topicFiber, ctxFiber];
  const order = pearson(
    timeBase.map((row) => dot(row, AXES.time)),
    timeBase.map((_, row) => row),
  );
  const triplets = TRIPLETS.map(([a, p, n]) =>
    relu(dot(topics[a]!, topics[n]!) - dot(topics[a]!, topics[p]!) + 0.2),
  );
  const alike = topics.flatMap((a, i) => topics.map((b, j) => (i === j ? 0 : relu(dot(a, b) - 0.7))));
  const contexts = ctxBase.map((row) => relu(0.3 - dot(unit(row), AXES.ctx)));
  const series = fibers.map((rows) => rows.map((row) => mean(unit(row))));
  const pairs = [
    [0, 1],
    [0, 2],
    [1, 2],
  ].map(([a, b]) => (Math.abs(pearson(series[a!]!, series[b!]!)) - 0.3) ** 2);
  const lacks = fibers.flatMap((rows) => rows.map((row) => relu(1 - Math.hypot(...row))));
  return [
    mean([mean(contexts), 1 - order, mean(triplets), sum(alike) / (ROWS * (ROWS - 1))]),
    mean(pairs),
    mean(lacks) + 0.01 * SHARE,
  ];
}

describe.each(['cpu', 'onnx'] as const)('the losses of a batch (%s)', (name) => {
  it('are those of the plain formulas, and so are their slopes', async () => {
    const values = drawn();
    const engine = await createEngine(name);
    const list = (pick: 0 | 1 | 2) =>
      ndarray(
        Int32Array.from(TRIPLETS, (t) => t[pick]),
        [TRIPLETS.length],
        'int32',
      );
    const triplets = tripletWeights({ anchors: list(0), positives: list(1), negatives: list(2) }, ROWS);
    const losses = (given: Record<Name, tf.Tensor>, weights: TripletWeights<tf.Tensor>) => {
      const coordinates = {
        time: { base: given.timeBase, fiber: given.timeFiber, dirn: given.timeBase },
        topic: { base: normalise(given.topicBase), fiber: given.topicFiber, dirn: given.topicBase },
        ctx: { base: given.ctxBase, fiber: given.ctxFiber, dirn: given.ctxBase },
      };
      const { lengths, means } = fiberStatistics(coordinates);
      const clock = tf.reshape(tf.range(0, ROWS), [ROWS, 1]);
      const r = correlations(tf.concat([means, along(given.timeBase, tf.tensor1d(AXES.time)), clock], 1));
      const order = tf.reshape(tf.slice(r, [3, 4], [1, 1]), []);
      return [
        bundleAxisAlignment(coordinates, tf.tensor1d(AXES.ctx), order, weights),
        crossBundleIndependence(r),
        writePolicy(lengths, tf.scalar(SHARE)),
      ];
    };
    const run = (given: Record<Name, tf.Tensor>, weights: TripletWeights<tf.Tensor>) =>
      [0, 1, 2].map((which) => {
        const { value, gradients } = valueAndGradient(
          (own: Record<Name, tf.Tensor>) => losses(own, weights)[which]!,
          given,
        );
        const slopes = NAMES.map((key) => gradients[key] ?? tf.zerosLike(given[key]));
        return {
          value,
          slopes: tf.concat(
            slopes.map((slope) => tf.reshape(slope, [-1])),
            0,
          ),
        };
      });
    const inputs = Object.fromEntries(
      NAMES.map((key) => [key, ndarray(Float32Array.from(values[key].flat()), [ROWS, WIDTHS[key]])]),
    ) as Record<Name, NDArray>;
    const results = await runOnce(engine, run as never, inputs as never, triplets as never);
    await engine.dispose();
    const expected = plain(values);
    const STEP = 1e-5;
    for (const [which, { value, slopes }] of (results as { value: NDArray; slopes: NDArray }[]).entries()) {
      expect(value.data[0]! / expected[which]!, `loss ${which}`).toBeCloseTo(1, 5);
      const differences = NAMES.flatMap((key) =>
        values[key].flatMap((row, r) =>
          row.map((x, i) => {
            const at = (moved: number) =>
              plain({ ...values, [key]: values[key].map((old, q) => (q === r ? old.with(i, moved) : old)) })[
                which
              ]!;
            return (at(x + STEP) - at(x - STEP)) / (2 * STEP);
          }),
        ),
      );
      const largest = Math.max(...differences.map(Math.abs));
      expect(largest).toBeGreaterThan(1e-3);
      differences.forEach((difference, i) => {
        expect(Math.abs(slopes.data[i]! - difference) / largest, `loss ${which}, number ${i}`).toBeLessThan(
          1e-5,
        );
      });
    }
  });
});
