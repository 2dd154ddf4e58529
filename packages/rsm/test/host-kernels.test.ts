import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { HostKernels } from '../src/decoder/kernels.js';

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const rng = Rng.fromSeed(2);
const draw = (count: number, scale = 1) => rng.normalArray([count], 0, scale).data;

function expectClose(actual: Float32Array, expected: readonly number[], tolerance = 2e-6) {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  actual.forEach((value, index) => {
    expect(Math.abs(value - expected[index]!)).toBeLessThan(tolerance * scale);
  });
}

describe('the kernels of decoding on the processor', () => {
  it.each([
    [4, 4],
    [7, 12],
    [65, 128],
    [3, 40],
  ])('multiply a matrix of %i x %i, with and without a cut at 0', (rows, columns) => {
    const kernels = new HostKernels(70 * 140 + 1000);
    const [w, x, b] = [draw(rows * columns), draw(columns), draw(rows)];
    const [matrix, input, bias] = [kernels.storeMatrix(w, rows, columns), kernels.store(x), kernels.store(b)];
    const output = kernels.allocate(rows);
    const expected = [...b].map(
      (start, row) => start + sum(x.map((value, j) => value * w[row * columns + j]!)),
    );
    kernels.multiply(output, matrix, input, bias, rows, columns);
    expectClose(kernels.view(output, rows), expected);
    kernels.multiply(output, matrix, input, bias, rows, columns, true);
    expectClose(
      kernels.view(output, rows),
      expected.map((value) => Math.max(0, value)),
    );
  });

  it('add a branch to the stream and normalise it', () => {
    const kernels = new HostKernels(200);
    const [stream, branch, gain, bias] = [draw(20), draw(20, 3), draw(20), draw(20)];
    const places = [stream, branch, gain, bias].map((values) => kernels.store(values));
    const output = kernels.allocate(20);
    kernels.addNormalised(output, places[0]!, places[1]!, places[2]!, places[3]!, 20);
    const added = [...stream].map((value, i) => value + branch[i]!);
    const mean = sum(added) / 20;
    const deviation = Math.sqrt(sum(added.map((value) => (value - mean) ** 2)) / 20 + 1e-5);
    expectClose(kernels.view(places[0]!, 20), added);
    expectClose(
      kernels.view(output, 20),
      added.map((value, i) => gain[i]! * ((value - mean) / deviation) + bias[i]!),
    );
  });

  it.each([
    [1, 4, 1],
    [3, 8, 0.3],
    [6, 32, 40],
    [257, 12, 5],
  ])('attend to %i rows of %i, also where scores are far apart', (count, width, scale) => {
    const kernels = new HostKernels(2 * 260 * 32 + 1000);
    const [query, keys, values] = [draw(width), draw(count * width), draw(count * width)];
    const places = [query, keys, values].map((numbers) => kernels.store(numbers));
    const [scores, output] = [kernels.allocate(count + 3), kernels.allocate(width)];
    // What lies behind the last score has no effect.
    kernels.view(scores, count + 3).fill(Number.NaN);
    kernels.attend(output, places[0]!, places[1]!, places[2]!, scores, count, width, scale);
    const raw = Array.from({ length: count }, (_, row) =>
      sum(query.map((value, i) => value * keys[row * width + i]! * scale)),
    );
    const weights = raw.map((score) => Math.exp(score - Math.max(...raw)));
    const expected = Array.from(query, (_, i) =>
      sum(weights.map((weight, row) => (weight / sum(weights)) * values[row * width + i]!)),
    );
    expectClose(kernels.view(output, width), expected, 2e-5);
  });

  it('give no more room than was asked for', () => {
    const kernels = new HostKernels(16);
    expect(() => kernels.allocate(2 * 65_536)).toThrow('hold less than was asked for');
  });
});
