import { describe, expect, it } from 'vitest';
import { Mt19937, MultiCountSketch } from '../src/index.js';
import { dot, norm, normals } from './support/statistics.js';

it('the median of more rows fails less often (property 7)', () => {
  const [dim, sketchDim, draws] = [24, 64, 300];
  const x = normals(dim, 1);
  const limit = norm(x) / Math.sqrt(sketchDim);
  const failures = [1, 3, 5, 9].map((rows) => {
    let count = 0;
    for (let draw = 0; draw < draws; draw++) {
      const sketch = new MultiCountSketch({ dim, sketchDim, rows, seed: 10 * draw });
      sketch.add(x);
      for (let i = 0; i < dim; i++) if (Math.abs(sketch.estimate(i) - x[i]!) > limit) count += 1;
    }
    return count / (draws * dim);
  });
  const bounds = [0.22, 0.08, 0.03, 0.01];
  for (const [k, bound] of bounds.entries()) {
    expect(failures[k]!).toBeLessThan(bound);
    if (k > 0) expect(failures[k]!).toBeLessThan(failures[k - 1]!);
  }
});

/** Draws items of probability proportional to 1 / rank^exponent by bisection of the cumulative sums. */
function zipfStream(length: number, items: number, exponent: number, seed: number): Int32Array {
  const cumulative = new Float64Array(items);
  let total = 0;
  for (let item = 0; item < items; item++) {
    total += 1 / (item + 1) ** exponent;
    cumulative[item] = total;
  }
  const generator = new Mt19937(seed);
  return Int32Array.from({ length }, () => {
    const target = generator.nextUniform() * total;
    let [low, high] = [0, items - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

const [items, width] = [10_000, 1024];

/** Counts of a stream of 10⁵ items, their sketch, and the largest error in units of ‖x‖/√m. */
function sketchStream(seed: number) {
  const sketch = new MultiCountSketch({ dim: items, sketchDim: width, rows: 5, seed: 1000 * seed });
  const counts = new Float64Array(items);
  for (const item of zipfStream(100_000, items, 1.1, seed)) {
    counts[item] = counts[item]! + 1;
    sketch.update(item, 1);
  }
  const scale = norm(counts) / Math.sqrt(width);
  const errors = counts.map((count, item) => Math.abs(sketch.estimate(item) - count));
  return { sketch, counts, scale, largestError: Math.max(...errors) / scale };
}

describe('heavy hitters of a Zipf(1.1) stream (property 21)', () => {
  // The bound on the largest of 10⁴ errors is no certainty: the test after this one counts how often it breaks. These
  // six consecutive seeds are among those that keep it.
  it.each([14, 15, 16, 17, 18, 19])('seed %i finds all and only the heavy items', (seed) => {
    const { sketch, counts, scale, largestError } = sketchStream(seed);
    expect(largestError).toBeLessThan(1);
    const found = sketch.heavyHitters(2 * scale);
    const reported = new Set(found.map(({ item }) => item));
    expect(found.length).toBeGreaterThan(5);
    for (const [item, count] of counts.entries()) {
      if (count > 3 * scale) expect(reported.has(item)).toBe(true);
      if (count < scale) expect(reported.has(item)).toBe(false);
    }
    const sizes = found.map(({ estimate }) => Math.abs(estimate));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  });

  it('the largest error stays below ‖x‖/√m for at least four of five seeds', () => {
    const errors = Array.from({ length: 40 }, (_, seed) => sketchStream(seed).largestError);
    expect(errors.filter((error) => error >= 1).length).toBeLessThanOrEqual(8);
    expect(errors.sort((a, b) => a - b)[20]!).toBeLessThan(0.75);
  });
});

describe('several rows', () => {
  const options = { dim: 50, sketchDim: 512, rows: 5, seed: 3 };
  const sketchOf = (vector: Float64Array) => {
    const sketch = new MultiCountSketch(options);
    sketch.add(vector);
    return sketch;
  };
  const [x, y] = [normals(50, 1), normals(50, 2)];

  it('merge, scale and inner follow the vectors', () => {
    const merged = sketchOf(x);
    merged.merge(sketchOf(y));
    merged.scale(2);
    const whole = sketchOf(x.map((value, i) => 2 * (value + y[i]!)));
    for (let i = 0; i < 50; i++) expect(merged.estimate(i)).toBeCloseTo(whole.estimate(i), 9);
    expect(Math.abs(sketchOf(x).inner(sketchOf(y)) - dot(x, y))).toBeLessThan(0.2 * norm(x) * norm(y));
    expect(Math.abs(sketchOf(x).norm() / norm(x) - 1)).toBeLessThan(0.1);
  });

  it('takes the mean of the middle two of an even number of rows', () => {
    const sketch = new MultiCountSketch({ ...options, rows: 4 });
    sketch.add(x);
    const sorted = sketch.rows.map((row) => row.estimate(7)).sort((a, b) => a - b);
    expect(sketch.estimate(7)).toBe((sorted[1]! + sorted[2]!) / 2);
  });

  it('round-trips through JSON and bytes', () => {
    const sketch = sketchOf(x);
    for (const copy of [
      MultiCountSketch.fromJSON(JSON.parse(JSON.stringify(sketch))),
      MultiCountSketch.fromBytes(sketch.toBytes()),
    ]) {
      expect(copy.rows.map(({ counters }) => counters)).toEqual(sketch.rows.map(({ counters }) => counters));
      copy.merge(sketch);
      expect(copy.estimate(3)).toBe(2 * sketch.estimate(3));
    }
  });
});
