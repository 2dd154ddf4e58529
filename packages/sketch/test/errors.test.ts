import { InputError } from '@palimpsest/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bind,
  CountSketch,
  circularConvolve,
  createTable,
  Fft,
  type FftNorm,
  kWiseHash,
  Mt19937,
  MultiCountSketch,
  phaseFeatures,
  SpectralAccumulator,
  sumBucketPlan,
  TensorSketch,
  unitaryKey,
} from '../src/index.js';

const badSize = fc.oneof(
  fc.integer({ max: 0 }),
  fc.double({ noInteger: true }),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53),
);

describe('sizes that are no positive integers', () => {
  const takers: Record<string, (size: number) => unknown> = {
    'createTable dim': (dim) => createTable({ dim, sketchDim: 4, seed: 1 }),
    'createTable sketchDim': (sketchDim) => createTable({ dim: 4, sketchDim, seed: 1 }),
    'CountSketch sketchDim': (sketchDim) => new CountSketch({ dim: 4, sketchDim, seed: 1 }),
    'MultiCountSketch rows': (rows) => new MultiCountSketch({ dim: 4, sketchDim: 4, seed: 1, rows }),
    'TensorSketch dim': (dim) => new TensorSketch({ dim, sketchDim: 4 }),
    'TensorSketch degree': (degree) => new TensorSketch({ dim: 4, sketchDim: 4, degree }),
    Fft: (size) => new Fft(size),
    'Fft.setMaxPlans': (count) => Fft.setMaxPlans(count),
    circularConvolve: (length) => circularConvolve(new Float64Array(4), new Float64Array(4), { length }),
    SpectralAccumulator: (length) => new SpectralAccumulator({ length }),
    unitaryKey: (length) => unitaryKey(1, length),
    kWiseHash: (independence) => kWiseHash(independence, 1),
    'bucket of kWiseHash': (buckets) => kWiseHash(2, 1).bucket(1, buckets),
  };
  it.each(Object.entries(takers))('%s refuses them and names the value', (_name, take) => {
    fc.assert(
      fc.property(badSize, (size) => {
        let message = '';
        try {
          take(size);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          message = (error as Error).message;
        }
        expect(message).toMatch(/must be (a positive integer|at most)/);
        expect(message).toContain(String(size));
      }),
    );
  });
});

describe('arrays of a wrong length', () => {
  it('are refused, never read beyond their end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 40 }), (dim, length) => {
        fc.pre(length % dim !== 0);
        const values = new Float64Array(length);
        const sketch = new CountSketch({ dim, sketchDim: 5, seed: 1 });
        const takers = [
          () => sketch.apply(values),
          () => sketch.add(values),
          () => sketch.applySparse([0], values.length === 1 ? [1, 2] : values),
          () => new TensorSketch({ dim, sketchDim: 5 }).transform(values),
          () => new Fft(dim).forwardReal(values),
          () => new Fft(dim).forward(values),
          () => circularConvolve(new Float64Array(dim), values, { length: dim }),
          () =>
            new SpectralAccumulator({ length: dim }).add(values.subarray(0, length === 2 * dim ? 1 : length)),
          () => phaseFeatures(values, { theta: 1, omega: 1, position: 0, role: 'key', dim }),
        ];
        for (const take of takers) expect(take).toThrow(InputError);
      }),
    );
  });
});

describe('single mistakes', () => {
  const sketch = new CountSketch({ dim: 4, sketchDim: 8, seed: 1 });
  const table = (index: number[], sign = [1, 1, 1, 1]) => ({
    dim: 4,
    sketchDim: 8,
    index: Int32Array.from(index),
    sign: Float32Array.from(sign),
  });
  it.each<[string, () => unknown, string]>([
    [
      'merge of another dim',
      () => sketch.merge(new CountSketch({ dim: 5, sketchDim: 8, seed: 1 })),
      'Cannot merge sketches of different tables: dim is 4 here and 5 there. Build both from one table.',
    ],
    [
      'inner of another sketchDim',
      () => sketch.inner(new CountSketch({ dim: 4, sketchDim: 9, seed: 1 })),
      'sketchDim is 8 here and 9 there',
    ],
    [
      'merge of another bucket',
      () => new CountSketch(table([1, 2, 3, 4])).merge(new CountSketch(table([1, 2, 7, 4]))),
      'the bucket of input 2 is 3 here and 7 there',
    ],
    [
      'merge of another sign',
      () => new CountSketch(table([1, 2, 3, 4])).merge(new CountSketch(table([1, 2, 3, 4], [1, -1, 1, 1]))),
      'the sign of input 1 is 1 here and -1 there',
    ],
    [
      'a table with a foreign bucket',
      () => new CountSketch(table([0, 1, 8, 2])),
      'input 2 must be from 0 to 7, but is 8',
    ],
    [
      'a table with a foreign sign',
      () => new CountSketch(table([0, 1, 2, 3], [1, 0, 1, 1])),
      'must be -1 or 1, but is 0',
    ],
    ['an entry outside', () => sketch.update(4, 1), 'The entry must be an integer from 0 to 3, but is 4.'],
    ['a fractional entry', () => sketch.estimate(0.5), 'but is 0.5'],
    [
      'plans of two lengths',
      () => sumBucketPlan(createTable({ dim: 2, sketchDim: 3, seed: 1 }), sketch.table),
      'sketch lengths 3 and 8',
    ],
    [
      'rows of two numbers',
      () =>
        new MultiCountSketch({ dim: 4, sketchDim: 8, seed: 1, rows: 2 }).merge(
          new MultiCountSketch({ dim: 4, sketchDim: 8, seed: 1, rows: 3 }),
        ),
      'Cannot merge sketches of 2 and 3 rows.',
    ],
    [
      'a threshold of 0',
      () => new MultiCountSketch({ dim: 4, sketchDim: 8, seed: 1, rows: 1 }).heavyHitters(0),
      'threshold must be positive, but is 0.',
    ],
    [
      'a candidate outside',
      () => new MultiCountSketch({ dim: 4, sketchDim: 8, seed: 1, rows: 1 }).heavyHitters(1, [9]),
      'A candidate must be an integer from 0 to 3, but is 9.',
    ],
    [
      'gamma of 0',
      () => new TensorSketch({ dim: 4, sketchDim: 8, gamma: 0 }),
      'gamma must be positive, but is 0.',
    ],
    ['a negative coef0', () => new TensorSketch({ dim: 4, sketchDim: 8, coef0: -1 }), 'but is -1.'],
    [
      'too few tables',
      () => new TensorSketch({ dim: 4, sketchDim: 8, tables: [sketch.table] }),
      'tables must have 2 values, but has 1.',
    ],
    [
      'tables of another size',
      () => new TensorSketch({ dim: 4, sketchDim: 8, coef0: 1, tables: [sketch.table, sketch.table] }),
      'Table 0 maps 4 inputs to 8 buckets, but 5 to 8 is needed.',
    ],
    [
      'an unknown norm',
      () => new Fft(2).forward(new Float64Array(4), undefined, 'unitary' as FftNorm),
      'norm must be one of backward, ortho, forward, but is "unitary".',
    ],
    [
      '3 signals with 2',
      () => bind(new Float64Array(6), new Float64Array(4), { length: 2 }),
      '3 signals cannot be combined with 2',
    ],
    ['a seed that is no integer', () => new Mt19937(0.5), 'seed must be a safe integer, but is 0.5.'],
    ['a range of 0', () => new Mt19937(1).nextInt(0), 'must be an integer from 1 to 2^32, but is 0.'],
    ['a negative key', () => kWiseHash(2, 1).hash(-1), 'but is -1.'],
    ['a negative resyncEvery', () => new SpectralAccumulator({ length: 2, resyncEvery: -1 }), 'but is -1.'],
    [
      'phases of too few channels',
      () => phaseFeatures([1, 2], { theta: [1], omega: 1, position: 0, role: 'key' }),
      'theta must have 2 values, but has 1.',
    ],
    [
      'too many positions',
      () => phaseFeatures([1, 2], { theta: 1, omega: 1, position: [1, 2], role: 'key' }),
      '2 positions do not fit 1 rows',
    ],
  ])('%s', (_name, take, message) => {
    expect(take).toThrow(message);
    expect(take).toThrow(InputError);
  });
});

describe('NaN', () => {
  const values = Float64Array.of(1, 2, Number.NaN, 4);
  it('is refused by name and place when validate is set, and passes through otherwise', () => {
    const takers = (validate: boolean): (() => unknown)[] => {
      const sketch = new CountSketch({ dim: 4, sketchDim: 8, seed: 1 }, { validate });
      return [
        () => sketch.apply(values),
        () => sketch.add(values),
        () => sketch.applySparse([0, 1, 2, 3], values),
        () => sketch.update(1, Number.NaN),
        () => sketch.scale(Number.NaN),
        () => new MultiCountSketch({ dim: 4, sketchDim: 8, seed: 1, rows: 2, validate }).add(values),
        () => new TensorSketch({ dim: 4, sketchDim: 8, validate }).transform(values),
        () => circularConvolve(values, values, { validate }),
        () => phaseFeatures(values, { theta: 1, omega: 1, position: 0, role: 'key', validate }),
      ];
    };
    for (const take of takers(true)) expect(take).toThrow(/NaN/);
    for (const take of takers(false)) expect(take).not.toThrow();
    expect(takers(true)[0]).toThrow('values holds NaN at element 2.');
  });
});

describe('saved sketches from elsewhere', () => {
  const sketch = new CountSketch({ dim: 6, sketchDim: 5, seed: 2 });
  sketch.update(3, 2.5);

  it('any torn file and any changed header is refused with a InputError', () => {
    const bytes = sketch.toBytes();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => CountSketch.fromBytes(bytes.slice(0, length))).toThrow(InputError);
    }
    for (let at = 0; at < 20; at++) {
      const changed = bytes.slice();
      changed[at] = changed[at]! ^ 0x5a;
      expect(() => CountSketch.fromBytes(changed)).toThrow(InputError);
    }
    expect(() => CountSketch.fromBytes(Uint8Array.of(...bytes, 0))).toThrow(
      'ends after 90 bytes, but 91 were given',
    );
    const rows = new MultiCountSketch({ dim: 6, sketchDim: 5, seed: 2, rows: 3 }).toBytes();
    expect(() => CountSketch.fromBytes(rows)).toThrow(
      'hold 3 sketches; read them with MultiCountSketch.fromBytes',
    );
  });

  it('random bytes never become a sketch', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => MultiCountSketch.fromBytes(bytes)).toThrow(InputError);
      }),
    );
  });

  it('JSON of any shape is refused by what is wrong with it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => CountSketch.fromJSON(value as never)).toThrow(InputError);
        expect(() => MultiCountSketch.fromJSON(value as never)).toThrow(InputError);
      }),
    );
    const json = sketch.toJSON();
    const changed = (part: object) => () => CountSketch.fromJSON({ ...json, ...part });
    expect(changed({ counters: [1, 2] })).toThrow('counters must have 5 values, but has 2.');
    expect(changed({ counters: [1, 2, null, 4, 5] })).toThrow('counter 2 is null, not a number');
    expect(changed({ index: [0, 0, 0, 0, 0, 5] })).toThrow('input 5 must be from 0 to 4, but is 5');
    expect(changed({ sign: [1, 1, 1, 1, 1, 2] })).toThrow('sign of input 5 must be -1 or 1, but is 2');
  });

  it('what JSON cannot hold is said before it is lost, and bytes hold it', () => {
    const full = new CountSketch(sketch.table);
    full.update(0, Infinity);
    expect(() => full.toJSON()).toThrow(/which JSON cannot hold; use toBytes/);
    expect(CountSketch.fromBytes(full.toBytes()).counters).toEqual(full.counters);
  });
});
