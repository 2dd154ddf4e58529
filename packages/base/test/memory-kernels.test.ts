import { describe, expect, it } from 'vitest';
import { DecodingKernels, Rng } from '../src/index.js';

const rng = Rng.fromSeed(3);
const draw = (count: number, scale = 1) => rng.normalArray([count], 0, scale).data;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Kernels with arrays in their memory; `of` gives what lies at a place as plain numbers. */
function placed(...arrays: readonly Float32Array[]) {
  const kernels = new DecodingKernels();
  const places = arrays.map((values) => kernels.store(values));
  const of = (place: number, count: number) => Array.from(kernels.view(place, count));
  return { kernels, places, of };
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 1e-6) {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  actual.forEach((value, index) => {
    expect(Math.abs(value - expected[index]!)).toBeLessThan(tolerance * scale);
  });
}

describe('the kernels of memories of fixed size', () => {
  it('add a branch and divide by the root of the mean square', () => {
    const [stream, branch, gain] = [draw(24), draw(24, 3), draw(24)];
    const { kernels, places, of } = placed(stream, branch, gain);
    const y = kernels.allocate(24);
    kernels.memories.addRootNormalised(y, places[0]!, places[1]!, places[2]!, 24, 1e-2);
    const sum = Array.from(stream, (value, i) => value + branch[i]!);
    const root = Math.sqrt(sum.reduce((total, value) => total + value * value, 0) / 24 + 1e-2);
    expectClose(of(places[0]!, 24), sum);
    expectClose(
      of(y, 24),
      sum.map((value, i) => (value / root) * gain[i]!),
    );
  });

  it('gate by silu, and keep features positive, also where exponentials end', () => {
    const gate = Float32Array.of(...draw(13, 3), 200, -200, 0);
    const value = draw(16);
    const { kernels, places, of } = placed(gate, value, gate);
    const y = kernels.allocate(16);
    kernels.memories.swiGlu(y, places[0]!, places[1]!, 16);
    expectClose(
      of(y, 16),
      Array.from(gate, (x, i) => x * sigmoid(x) * value[i]!),
    );
    kernels.memories.positive(places[2]!, 16);
    expectClose(
      of(places[2]!, 16),
      Array.from(gate, (x) => (x > 0 ? x + 1 : Math.exp(x))),
    );
  });

  it('turn the gates of a recurrent unit into its next state', () => {
    const width = 12;
    const [h, input, state] = [draw(width), draw(3 * width, 30), draw(3 * width)];
    const { kernels, places, of } = placed(h, input, state);
    kernels.memories.gruState(places[0]!, places[1]!, places[2]!, width);
    const expected = Array.from(h, (before, i) => {
      const [z, r] = [0, width].map((from) => sigmoid(input[from + i]! + state[from + i]!)) as [
        number,
        number,
      ];
      const n = Math.tanh(input[2 * width + i]! + r * state[2 * width + i]!);
      return n + z * (before - n);
    });
    expectClose(of(places[0]!, width), expected);
  });

  it('turn the gates of a long short-term memory into its state and cell', () => {
    const width = 8;
    const [h, cell, input, state] = [draw(width), draw(width), draw(4 * width, 4), draw(4 * width)];
    const { kernels, places, of } = placed(h, cell, input, state);
    kernels.memories.lstmState(places[0]!, places[1]!, places[2]!, places[3]!, width);
    const gate = (part: number, i: number) => input[part * width + i]! + state[part * width + i]!;
    const next = Array.from(
      cell,
      (before, i) => sigmoid(gate(2, i)) * before + sigmoid(gate(0, i)) * Math.tanh(gate(3, i)),
    );
    expectClose(of(places[1]!, width), next);
    expectClose(
      of(places[0]!, width),
      next.map((value, i) => sigmoid(gate(1, i)) * Math.tanh(value)),
    );
  });

  it.each([
    [4, 8],
    [3, 5],
    [16, 17],
    [1, 3],
  ])('remember and recall in sums of %i by %i', (keyWidth, valueWidth) => {
    const [sums, key, value, query] = [
      draw(keyWidth * valueWidth),
      draw(keyWidth),
      draw(valueWidth),
      draw(keyWidth),
    ];
    const { kernels, places, of } = placed(sums, key, value, query);
    // Behind the last row is what the kernels must not touch.
    const y = kernels.allocate(valueWidth + 4);
    kernels.view(y, valueWidth + 4).fill(1);
    kernels.memories.remember(places[0]!, places[1]!, places[2]!, keyWidth, valueWidth, 0.75);
    const after = Array.from(sums, (before, at) => {
      const [row, column] = [Math.floor(at / valueWidth), at % valueWidth];
      return 0.75 * before + key[row]! * value[column]!;
    });
    expectClose(of(places[0]!, keyWidth * valueWidth), after);
    kernels.memories.recall(y, places[0]!, places[3]!, keyWidth, valueWidth);
    const read = Array.from({ length: valueWidth }, (_, column) =>
      query.reduce((sum, factor, row) => sum + factor * after[row * valueWidth + column]!, 1),
    );
    expectClose(of(y, valueWidth + 4), [...read, 1, 1, 1, 1]);
  });
});
