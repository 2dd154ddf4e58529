import { describe, expect, it } from 'vitest';
import { createAttentionCache, DecodingKernels, Rng } from '../src/index.js';

const rng = Rng.fromSeed(5);
const draw = (count: number, scale = 1) => rng.normalArray([count], 0, scale).data;
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));

/** A row as 8 bits hold it: within half a step, which is at most a little more than the largest number / 127. */
function expectRounded(actual: ArrayLike<number>, exact: Float32Array): void {
  const bound = (largest(exact) / 127) * 0.501;
  exact.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(bound);
  });
}

describe('matrices of 8 bits', () => {
  it.each([
    [4, 4],
    [7, 12],
    [65, 128],
    [3, 40],
    [16, 2048],
  ])('are multiplied as rows rounded to a step of their own are, %i x %i', (rows, columns) => {
    const kernels = new DecodingKernels();
    const w = draw(rows * columns);
    const identity = kernels.storeMatrix(w, rows, columns, 8);
    const [zeros, y] = [kernels.allocate(rows + 4), kernels.allocate(rows + 4)];
    // Unit vectors read the stored numbers.
    const stored = new Float32Array(rows * columns);
    for (let column = 0; column < Math.min(columns, 40); column++) {
      const unit = kernels.allocate(columns);
      kernels.numbers[unit + column] = 1;
      kernels.multiply(y, identity, unit, zeros);
      for (let row = 0; row < rows; row++) stored[row * columns + column] = kernels.numbers[y + row]!;
    }
    for (let row = 0; row < rows; row++) {
      const exact = w.subarray(row * columns, (row + 1) * columns);
      const bound = (largest(exact) / 127) * 0.502;
      for (let column = 0; column < Math.min(columns, 40); column++) {
        expect(Math.abs(stored[row * columns + column]! - exact[column]!)).toBeLessThan(bound);
      }
    }
    const [x, b] = [draw(columns), draw(rows)];
    kernels.multiply(y, identity, kernels.store(x), kernels.store(b));
    const got = kernels.view(y, rows).slice();
    for (let row = 0; row < rows; row++) {
      const exact = b[row]! + sum(x.map((value, j) => value * w[row * columns + j]!));
      // Roundings of a row are as good as independent: a few of their standard deviations.
      const step = largest(w.subarray(row * columns, (row + 1) * columns)) / 127;
      expect(Math.abs(got[row]! - exact)).toBeLessThan(5 * step * 0.29 * Math.sqrt(sum(x.map((v) => v * v))));
    }
    kernels.multiply(y, identity, kernels.store(x), kernels.store(b), true);
    expect(Array.from(kernels.view(y, rows))).toEqual(Array.from(got, (value) => Math.max(0, value)));
  });

  it.each([256, 260, 4096, 100_000])(
    'do not overflow where all of %i columns are as large as can be',
    (columns) => {
      const kernels = new DecodingKernels();
      // Rows of both signs, since two sums are made of one.
      const values = Float32Array.from({ length: 8 * columns }, (_, i) => (i < 4 * columns ? 2 : -2));
      const matrix = kernels.storeMatrix(values, 8, columns, 8);
      const [x, zeros, y] = [
        kernels.store(new Float32Array(columns).fill(3)),
        kernels.allocate(8),
        kernels.allocate(8),
      ];
      kernels.multiply(y, matrix, x, zeros);
      // Equal numbers are rounded alike: one of them is at least 80 steps.
      kernels.view(y, 8).forEach((value, row) => {
        expect(Math.abs(value / (6 * columns) - (row < 4 ? 1 : -1))).toBeLessThan(0.5 / 80);
      });
    },
  );

  it('stand as blocks, each of which meets a part of its own', () => {
    const kernels = new DecodingKernels();
    const [rows, columns, blocks] = [20, 24, 3];
    const [w, x] = [draw(blocks * rows * columns), draw(blocks * columns)];
    for (const bits of [32, 8] as const) {
      const [all, one] = [0, 1].map(() => kernels.allocate(blocks * rows));
      const bias = kernels.store(draw(blocks * rows));
      const from = kernels.store(x);
      kernels.multiply(all!, kernels.storeMatrix(w, rows, columns, bits, blocks), from, bias, true);
      for (let block = 0; block < blocks; block++) {
        const own = w.subarray(block * rows * columns, (block + 1) * rows * columns);
        const matrix = kernels.storeMatrix(own, rows, columns, bits);
        kernels.multiply(one! + block * rows, matrix, from + block * columns, bias + block * rows, true);
      }
      expect(kernels.view(all!, blocks * rows)).toEqual(kernels.view(one!, blocks * rows));
    }
  });

  it('refuse numbers that are not finite, and pass on activations that are not', () => {
    const kernels = new DecodingKernels();
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const weights = Float32Array.of(1, 2, bad, 4);
      expect(() => kernels.storeMatrix(weights, 1, 4, 8)).toThrow(
        'not finite numbers cannot be read in 8 bits',
      );
    }
    const matrix = kernels.storeMatrix(new Float32Array(16).fill(1), 4, 4, 8);
    const [x, zeros, y] = [
      kernels.store(Float32Array.of(1, Number.NaN, 1, 1)),
      kernels.allocate(4),
      kernels.allocate(4),
    ];
    kernels.multiply(y, matrix, x, zeros);
    expect([...kernels.view(y, 4)]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });

  it('of zeros give the bias', () => {
    const kernels = new DecodingKernels();
    const matrix = kernels.storeMatrix(new Float32Array(16), 4, 4, 8);
    const [x, bias, y] = [
      kernels.store(draw(4)),
      kernels.store(Float32Array.of(1, 2, 3, 4)),
      kernels.allocate(4),
    ];
    kernels.multiply(y, matrix, x, bias);
    expect([...kernels.view(y, 4)]).toEqual([1, 2, 3, 4]);
  });
});

describe.each([32, 8] as const)('keys and values of %i bits', (bits) => {
  const shape = (columns: number, keyWidth: number, valueWidth: number) => ({
    heads: 2,
    columns,
    keyWidth,
    valueWidth,
  });

  it.each([
    [1, 4, 4, 1],
    [3, 8, 8, 0.3],
    [6, 32, 32, 4],
    [257, 12, 20, 1],
    [16, 16, 4, 1],
    [17, 64, 48, 0.2],
    [99, 300, 36, 0.2],
  ])('are attended to, %i columns of keys of %i and values of %i', (count, keyWidth, valueWidth, scale) => {
    const kernels = new DecodingKernels();
    const cache = createAttentionCache(kernels, shape(count, keyWidth, valueWidth), bits);
    const stride = 2 * keyWidth + valueWidth;
    const y = kernels.allocate(2 * valueWidth);
    const rows = Array.from({ length: count }, () => draw(2 * stride));
    const place = kernels.allocate(2 * stride);
    // The order of writing is of no account.
    for (const column of Array.from(rows.keys()).reverse()) {
      kernels.numbers.set(rows[column]!, place);
      cache.put(column, place + keyWidth, place + 2 * keyWidth, stride);
    }
    const query = draw(2 * stride, 1 / Math.sqrt(keyWidth));
    kernels.numbers.set(query, place);
    cache.attend(y, place, stride, count, scale);
    for (let head = 0; head < 2; head++) {
      const q = query.subarray(head * stride, head * stride + keyWidth);
      const { keys, values } = cache.read(head, count);
      rows.forEach((row, column) => {
        const own = row.subarray(head * stride + keyWidth, (head + 1) * stride);
        const key = keys.subarray(column * keyWidth, (column + 1) * keyWidth);
        const value = values.subarray(column * valueWidth, (column + 1) * valueWidth);
        if (bits === 8) {
          expectRounded(key, own.subarray(0, keyWidth));
          expectRounded(value, own.subarray(keyWidth));
        } else expect([...key, ...value]).toEqual([...own]);
      });
      const raw = Array.from(
        { length: count },
        (_, row) => scale * sum(q.map((value, i) => value * keys[row * keyWidth + i]!)),
      );
      const weights = raw.map((score) => Math.exp(score - Math.max(...raw)));
      for (let i = 0; i < valueWidth; i++) {
        const expected =
          sum(weights.map((weight, row) => weight * values[row * valueWidth + i]!)) / sum(weights);
        expect(Math.abs(kernels.numbers[y + head * valueWidth + i]! - expected)).toBeLessThan(
          bits === 8 ? 1e-3 : 1e-5,
        );
      }
    }
  });

  it('come back bit for bit from what was read of them', () => {
    const kernels = new DecodingKernels();
    const [columns, keyWidth, valueWidth] = [37, 12, 20];
    const [one, other] = [0, 1].map(() =>
      createAttentionCache(kernels, shape(columns, keyWidth, valueWidth), bits),
    );
    const place = kernels.allocate(64);
    for (let column = 0; column < columns; column++) {
      // Numbers of all sizes, and rows of nothing.
      kernels.numbers.set(column === 5 ? new Float32Array(64) : draw(64, 10 ** ((column % 9) - 4)), place);
      one!.put(column, place, place + keyWidth, keyWidth + valueWidth);
    }
    for (let head = 0; head < 2; head++) {
      const rows = one!.read(head, columns);
      other!.write(head, rows);
      expect(other!.read(head, columns)).toEqual(rows);
    }
    const y = kernels.allocate(4 * valueWidth);
    kernels.numbers.set(draw(64), place);
    one!.attend(y, place, 16, columns, 0.5);
    other!.attend(y + 2 * valueWidth, place, 16, columns, 0.5);
    expect(kernels.view(y, 2 * valueWidth)).toEqual(kernels.view(y + 2 * valueWidth, 2 * valueWidth));
  });

  it('forget nothing of a column beyond those that are read', () => {
    const kernels = new DecodingKernels();
    const cache = createAttentionCache(kernels, shape(20, 8, 8), bits);
    const place = kernels.allocate(64);
    const y = kernels.allocate(32);
    const put = (column: number, values: Float32Array) => {
      kernels.numbers.set(values, place);
      cache.put(column, place, place + 8, 16);
    };
    for (let column = 0; column < 5; column++) put(column, draw(64));
    const query = kernels.store(draw(16));
    cache.attend(y, query, 8, 5, 1);
    const before = kernels.view(y, 16).slice();
    for (let column = 5; column < 20; column++) put(column, new Float32Array(64).fill(Number.NaN));
    cache.attend(y + 16, query, 8, 5, 1);
    expect(kernels.view(y + 16, 16)).toEqual(before);
  });
});
