import { greatCirclePath } from '@palimpsest/fiber-geometry';
import { type NDArray, Rng, runOnce, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { timeFrequencies } from '../src/encoders/time-features.js';
import {
  bundlesInit,
  ContextBundle,
  contentCentroids,
  memoryConfig,
  normalisedRows,
  presets,
  TimeBundle,
  TopicBundle,
} from '../src/index.js';
import { lengths, maxDifference, withEngine } from './support/engine.js';

const engine = withEngine();
const rng = Rng.fromSeed(4);
const width = 24;

describe.each(['improved', 'reference'] as const)('bundles, %s', (mode) => {
  const config = memoryConfig({ dLLM: width, ...(mode === 'reference' ? presets.reference : {}) });
  const trees = bundlesInit(config, rng);
  const time = new TimeBundle(config, trees.bundle_time);
  const topic = new TopicBundle(config, trees.bundle_topic);
  const context = new ContextBundle(config, trees.bundle_ctx);
  const hidden = rng.normalArray([3, width], 0, 1);
  const table = normalisedRows(rng.normalArray([50, width], 0, 1));
  const clock = rng.uniformArray([3, 3], 0, 40);

  it('gives coordinates of the sizes of the configuration, and directions of length one', async () => {
    const centroids = contentCentroids([[1, 2, 3], [], [60, -1]], table);
    const encode = (h: tf.Tensor, c: tf.Tensor, s: tf.Tensor, turns: tf.Tensor) => ({
      time: time.encode(h, s, tf.zeros([3])),
      topic: topic.encode(h, c),
      alone: context.encode(h, h),
      behind: context.encode(h, h, turns),
    });
    const turns = rng.normalArray([3, 5, width], 0, 1);
    const all = await runOnce(engine(), encode, hidden, centroids, clock, turns);
    const sizes = { time: [8, 32], topic: [16, 64], alone: [12, 48], behind: [12, 48] };
    for (const [name, [base, fiber]] of Object.entries(sizes)) {
      const found = all[name as keyof typeof sizes];
      expect([found.base.shape, found.fiber.shape, found.dirn.shape]).toEqual([
        [3, base],
        [3, fiber],
        [3, base],
      ]);
      for (const length of lengths(found.dirn.data, base!)) expect(Math.abs(length - 1)).toBeLessThan(1e-4);
    }
    for (const length of lengths(all.topic.base.data, 16)) expect(Math.abs(length - 1)).toBeLessThan(1e-4);
    expect(maxDifference(all.alone.base.data, all.behind.base.data)).toBeGreaterThan(1e-3);
  });

  it('has axes of length one, great circles on the sphere and transport that keeps lengths', async () => {
    const unit = (x: tf.Tensor) => tf.div(x, tf.norm(x, 'euclidean', 1, true));
    const measure = (a: tf.Tensor, b: tf.Tensor, fiber: tf.Tensor) => {
      const [src, dst] = [unit(a), unit(b)];
      return {
        axes: [time.canonicalAxis(), topic.canonicalAxis(), context.canonicalAxis()],
        src,
        dst,
        path: greatCirclePath(src, dst, 8, { kind: mode === 'reference' ? 'clamped' : 'robust' }).points,
        carried: topic.transport(fiber, src, dst),
      };
    };
    const ends = () => rng.normalArray([2, 16], 0, 1);
    const fiber = rng.normalArray([2, 64], 0, 1);
    const { axes, src, dst, path, carried } = await runOnce(engine(), measure, ends(), ends(), fiber);
    for (const axis of axes)
      expect(Math.abs(lengths(axis.data, axis.data.length)[0]! - 1)).toBeLessThan(1e-5);
    for (const length of lengths(path.data, 16)) expect(Math.abs(length - 1)).toBeLessThan(1e-3);
    const point = (row: number, at: number) => path.data.slice((row * 8 + at) * 16, (row * 8 + at + 1) * 16);
    for (const row of [0, 1]) {
      expect(maxDifference(point(row, 0), src.data.slice(row * 16, row * 16 + 16))).toBeLessThan(1e-4);
      expect(maxDifference(point(row, 7), dst.data.slice(row * 16, row * 16 + 16))).toBeLessThan(1e-4);
    }
    const before = lengths(fiber.data, 64);
    lengths(carried.data, 64).forEach((after, row) => {
      expect(Math.abs(after / before[row]! - 1)).toBeLessThan(0.15);
    });
  });

  it('carries fibers along solved geodesics of time and context', () => {
    const [src, dst] = [rng.normalArray([2, 8], 0, 0.3), rng.normalArray([2, 8], 0, 0.3)];
    const { path } = time.solvePath(src, dst);
    expect(path.shape).toEqual([2, config.nGeoPts + 2, 8]);
    for (const row of [0, 1]) {
      const at = (point: number) => path.data.slice((row * 10 + point) * 8, (row * 10 + point + 1) * 8);
      expect(maxDifference(at(0), src.data.slice(row * 8, row * 8 + 8))).toBeLessThan(1e-4);
      expect(maxDifference(at(9), dst.data.slice(row * 8, row * 8 + 8))).toBeLessThan(1e-4);
    }
  });

  it('sends gradients to the clock, and finite ones where a text has no tokens', async () => {
    const gradients = await runOnce(
      engine(),
      (
        all: { time: typeof trees.bundle_time; topic: typeof trees.bundle_topic },
        h: tf.Tensor,
        c: tf.Tensor,
        s: tf.Tensor,
      ) =>
        valueAndGradient((own: typeof all) => {
          const coordinates = [
            new TimeBundle(config, own.time).encode(h, s, tf.zeros([3])).fiber,
            new TopicBundle(config, own.topic).encode(tf.zerosLike(h), c).base,
          ];
          return tf.addN(coordinates.map((x) => tf.sum(tf.square(x))));
        }, all as never).gradients,
      { time: trees.bundle_time, topic: trees.bundle_topic } as never,
      hidden,
      contentCentroids([[], [], []], table),
      clock,
    );
    const found = gradients as unknown as {
      time: typeof trees.bundle_time;
      topic: typeof trees.bundle_topic;
    };
    const largest = (x: NDArray) => Math.max(...Array.from(x.data, Math.abs));
    expect(largest(found.time.encoder.time_mlp[0].weight)).toBeGreaterThan(0);
    expect(Number.isFinite(largest(found.topic.encoder.down_project[0].weight))).toBe(true);
  });
});

describe('centroids', () => {
  const table = normalisedRows(rng.normalArray([5, 4], 0, 1));

  it('of no tokens, and of ids that are no tokens, are zero', () => {
    expect([...contentCentroids([[], [7, -2]], table).data]).toEqual(new Array(8).fill(0));
  });

  it('count a token as often as it occurs, and none for less than a tenth', () => {
    const { data } = contentCentroids([[1, 1, 2]], table, [0, 0.01, 1, 1, 1]);
    const expected = Array.from(
      { length: 4 },
      (_, i) => (0.2 * table.data[4 + i]! + table.data[8 + i]!) / 1.2,
    );
    expect(maxDifference(data, expected)).toBeLessThan(1e-6);
  });

  it('need a list per text', () => {
    expect(() => contentCentroids([1, 2], table, undefined, 2)).toThrow(
      'A flat list of token ids stands for one text',
    );
    expect(() => contentCentroids([[1]], table, undefined, 2)).toThrow(
      'There are 1 lists of token ids for 2 texts',
    );
    expect(contentCentroids([1, 2], table, undefined, 1).shape).toEqual([1, 4]);
  });
});

describe('the clock', () => {
  it('orders a long session in its slowest wave, which the published one repeats within seven writes', () => {
    const slowest = (kind: 'octave' | 'reference') => Math.min(...timeFrequencies(8, kind));
    expect(slowest('octave') * 10_000).toBeLessThan(Math.PI / 2);
    expect(slowest('reference') * 7).toBeGreaterThan(2 * Math.PI);
  });
});

describe('inputs of the wrong shape', () => {
  const config = memoryConfig({ dLLM: width });
  const trees = bundlesInit(config, rng);
  const calls: [string, () => unknown, string][] = [
    [
      'a narrow state',
      () => new TopicBundle(config, trees.bundle_topic).encode(tf.zeros([2, 3]), tf.zeros([2, width])),
      'The pooled state must have the shape [any, 24], but has [2, 3].',
    ],
    [
      'turns of other rows',
      () =>
        new ContextBundle(config, trees.bundle_ctx).encode(
          tf.zeros([2, width]),
          tf.zeros([2, width]),
          tf.zeros([3, 1, width]),
        ),
      'The previous turns must have the shape [2, any, 24]',
    ],
    [
      'a clock of two numbers',
      () =>
        new TimeBundle(config, trees.bundle_time).encode(
          tf.zeros([2, width]),
          tf.zeros([2, 2]),
          tf.zeros([2]),
        ),
      'The clock must have the shape [2, 3]',
    ],
  ];
  it.each(calls)('%s', (_what, call, message) => {
    expect(call).toThrow(message);
  });
});
