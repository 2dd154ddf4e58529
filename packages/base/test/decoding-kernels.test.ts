import { describe, expect, it } from 'vitest';
import { DecodingKernels, planTransform, Rng, TILE } from '../src/index.js';

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
    const kernels = new DecodingKernels();
    const [w, x, b] = [draw(rows * columns), draw(columns), draw(rows)];
    const [matrix, input, bias] = [kernels.storeMatrix(w, rows, columns), kernels.store(x), kernels.store(b)];
    const output = kernels.allocate(rows);
    const expected = [...b].map(
      (start, row) => start + sum(x.map((value, j) => value * w[row * columns + j]!)),
    );
    kernels.multiply(output, matrix, input, bias);
    expectClose(kernels.view(output, rows), expected);
    kernels.multiply(output, matrix, input, bias, true);
    expectClose(
      kernels.view(output, rows),
      expected.map((value) => Math.max(0, value)),
    );
  });

  it('add a branch to the stream and normalise it', () => {
    const kernels = new DecodingKernels();
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
    [1, 4, 4, 1],
    [3, 8, 8, 0.3],
    [6, 32, 32, 40],
    [257, 12, 12, 5],
    [4, 8, 12, 1],
    [5, 16, 4, 1],
    [257, 12, 20, 5],
  ])(
    'attend to %i rows, keys of %i and values of %i, also where scores are far apart',
    (count, width, valueWidth, scale) => {
      const kernels = new DecodingKernels();
      const [query, keys, values] = [draw(width), draw(count * width), draw(count * valueWidth)];
      const places = [query, keys, values].map((numbers) => kernels.store(numbers));
      const [scores, output] = [kernels.allocate(count + 3), kernels.allocate(valueWidth)];
      // What lies behind the last score has no effect.
      kernels.view(scores, count + 3).fill(Number.NaN);
      const [q, k, v] = places as [number, number, number];
      const factor = kernels.attend(output, q, k, v, scores, count, width, valueWidth, scale);
      const raw = Array.from({ length: count }, (_, row) =>
        sum(query.map((value, i) => value * keys[row * width + i]! * scale)),
      );
      const weights = raw.map((score) => Math.exp(score - Math.max(...raw)));
      const expected = Array.from({ length: valueWidth }, (_, i) =>
        sum(weights.map((weight, row) => (weight / sum(weights)) * values[row * valueWidth + i]!)),
      );
      expectClose(kernels.view(output, valueWidth), expected, 2e-5);
      const probabilities = kernels.view(scores, count).map((score) => score * factor);
      expectClose(
        probabilities,
        weights.map((weight) => weight / sum(weights)),
        2e-6,
      );
    },
  );

  it.each([
    [1, 4, 0.3],
    [5, 12, 3],
  ])('keep an online softmax of %i slots of %i, also where scores are far apart', (slots, width, scale) => {
    const kernels = new DecodingKernels();
    const tokens = Array.from({ length: 6 }, () => draw(width, scale));
    const queries = draw(slots * width, scale);
    const place = {
      sum: kernels.allocate(slots * width),
      peak: kernels.store(new Float32Array(slots).fill(-1e9)),
      total: kernels.allocate(slots),
    };
    const [query, source] = [kernels.store(queries), kernels.allocate(width)];
    for (const token of tokens) {
      kernels.numbers.set(token, source);
      kernels.pool(place, query, source, slots, width);
    }
    for (let slot = 0; slot < slots; slot++) {
      const row = queries.subarray(slot * width, (slot + 1) * width);
      const scores = tokens.map((token) => sum(token.map((value, i) => value * row[i]!)));
      const highest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - highest));
      const expected = Array.from(row, (_, i) => sum(tokens.map((token, t) => weights[t]! * token[i]!)));
      expectClose(kernels.view(place.sum + slot * width, width), expected, 2e-5);
      expectClose(kernels.view(place.peak, slots).subarray(slot, slot + 1), [highest], 2e-5);
      expectClose(kernels.view(place.total, slots).subarray(slot, slot + 1), [sum(weights)], 2e-5);
    }
  });

  it.each([
    [4, 2],
    [8, 1],
    [8, 4],
    [20, 7],
  ])('turn pairs of rows %i wide, %i pairs', (width, pairs) => {
    const kernels = new DecodingKernels();
    const [rows, stride] = [3, width + 4];
    const [x, angles] = [draw(rows * stride), draw(pairs)];
    const place = kernels.store(x);
    const [cos, sin] = [kernels.store(angles.map(Math.cos)), kernels.store(angles.map(Math.sin))];
    kernels.turn(place, rows, stride, cos, sin, pairs);
    const expected = [...x].map((value, at) => {
      const i = at % stride;
      if (i >= 2 * pairs) return value;
      const [c, s] = [Math.cos(angles[i % pairs]!), Math.sin(angles[i % pairs]!)];
      return i < pairs ? value * c - x[at + pairs]! * s : value * c + x[at - pairs]! * s;
    });
    expectClose(kernels.view(place, x.length), expected);
  });

  it('grow with what is allocated, and keep what is there', () => {
    const kernels = new DecodingKernels();
    const place = kernels.store(Float32Array.of(1, 2, 3));
    const large = kernels.allocate(3 * 65_536);
    kernels.view(large, 3 * 65_536).fill(7);
    expect([...kernels.view(place, 3)]).toEqual([1, 2, 3]);
  });

  it.each([
    [1, 7],
    [2, 19],
    [3, 36],
  ])(
    'tell what tokens received of groups of %i, up to column %i, and leave other columns as they are',
    (group, end) => {
      const kernels = new DecodingKernels();
      const [heads, stride, tiles] = [3, 40, 3];
      const firsts = [0, 2, end];
      const [scores, factors] = [draw(heads * group * stride), draw(heads * group)];
      // Tiles of three lines, of which the second one is every head's.
      const { before, place, table } = storeTiles(kernels, tiles, 3 * heads);
      const from = { scores: kernels.store(scores), stride, factors: kernels.store(factors) };
      const line = { tiles: table, line: TILE, headStride: 3 * TILE };
      kernels.spectra.receive({ ...line, firsts: kernels.store(firsts), end, heads, group }, from);
      const expected = [...before].map((old, index) => {
        const [tile, own] = [Math.floor(index / (3 * heads * TILE)), Math.floor(index / TILE) % (3 * heads)];
        const [column, head] = [tile * TILE + (index % TILE), Math.floor(own / 3)];
        if (own % 3 !== 1 || column < firsts[head]! || column >= end) return old;
        const given = Array.from({ length: group }, (_, i) => {
          const one = head * group + i;
          return factors[one]! * scores[one * stride + column - firsts[head]!]!;
        });
        return sum(given) / group;
      });
      expectClose(kernels.view(place, before.length), expected);
    },
  );

  it.each([16, 32, 64, 128])('average the spectra of columns of %i samples', (size) => {
    const kernels = new DecodingKernels();
    const [bins, tiles, first, end] = [size / 2 + 1, 2, 5, 23];
    const window = draw(size);
    const lines = 1 + bins + size;
    const { before, place, table } = storeTiles(kernels, tiles, lines);
    const transform = planTransform(kernels, window);
    // The samples lie as in a ring that begins in its middle, behind a line that is not theirs.
    kernels.spectra.fadeIn(transform, { tiles: table, head: TILE, oldest: 5, first, end }, 0.75);
    const expected = [...before].map((old, index) => {
      const [tile, bin] = [Math.floor(index / (lines * TILE)), (Math.floor(index / TILE) % lines) - 1];
      const column = tile * TILE + (index % TILE);
      if (bin < 0 || bin >= bins || column < 4 || column >= 24) return old;
      const parts = [Math.cos, Math.sin].map((part) =>
        sum(
          window.map((weight, m) => {
            const line = 1 + bins + ((m + 5) % size);
            const value = before[(tile * lines + line) * TILE + (index % TILE)]!;
            return weight * value * part((2 * Math.PI * bin * m) / size);
          }),
        ),
      );
      return 0.75 * old + Math.hypot(...parts);
    });
    expectClose(kernels.view(place, before.length), expected, 1e-6);
  });
});

/** Numbers `[tiles, lines, 16]`, whose tiles a table has in order. */
function storeTiles(kernels: DecodingKernels, tiles: number, lines: number) {
  const before = draw(tiles * lines * TILE);
  const place = kernels.store(before);
  const table = kernels.allocate(tiles);
  kernels.putAddresses(
    table,
    Array.from({ length: tiles }, (_, tile) => place + tile * lines * TILE),
  );
  return { before, place, table };
}
