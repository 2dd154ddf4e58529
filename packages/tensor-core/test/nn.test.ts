import { afterAll, describe, expect, test } from 'vitest';
import {
  causalMask,
  crossEntropy,
  dropout,
  type Engine,
  keyedUniform,
  MASKED,
  ndarray,
  Rng,
  rotaryTable,
  tf,
} from '../src/index.js';
import { loadableEngines } from './support/engines.js';
import { spread } from './support/numbers.js';

const engines = await loadableEngines();
const cpu = engines.find(({ name }) => name === 'cpu')!;

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

async function values(engine: Engine, fn: (...inputs: tf.Tensor[]) => tf.Tensor, ...inputs: unknown[]) {
  const compiled = engine.compile(fn);
  const output = await compiled(...(inputs as never[]));
  const data = Array.from(await output.data());
  output.dispose();
  await compiled.dispose();
  return data;
}

describe('keyed draws', () => {
  test('are the same bits on every engine', async () => {
    const key = Rng.fromSeed(11).key();
    const draws = await Promise.all(
      engines.map((engine) => values(engine, (k) => keyedUniform(k!, [3, 41]), key)),
    );
    for (const other of draws) expect(other).toEqual(draws[0]);
  });

  test('are uniform and change with the key', async () => {
    const rng = Rng.fromSeed(5);
    const first = await values(cpu, (k) => keyedUniform(k!, [20_000]), rng.key());
    const second = await values(cpu, (k) => keyedUniform(k!, [20_000]), rng.key());
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
    // The mean of n uniform draws has deviation 1 / √(12 n): 0.002 here; four of them.
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.0082);
    const counts = new Array<number>(10).fill(0);
    for (const value of first) counts[Math.floor(value * 10)]! += 1;
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(4 * Math.sqrt(2000 * 0.9));
    const products = first.map((value, index) => (value - 0.5) * (second[index]! - 0.5));
    const correlation = (12 * products.reduce((sum, value) => sum + value, 0)) / products.length;
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(20_000));
    expect(Math.min(...first)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...first)).toBeLessThan(1);
  });

  test('dropout keeps the mean and drops its share', async () => {
    const ones = ndarray(new Float32Array(20_000).fill(1));
    const dropped = await values(cpu, (x, k) => dropout(x!, 0.3, k!), ones, Rng.fromSeed(3).key());
    const zeros = dropped.filter((value) => value === 0).length;
    expect(Math.abs(zeros - 6000)).toBeLessThan(4 * Math.sqrt(20_000 * 0.3 * 0.7));
    for (const value of dropped) expect([0, Math.fround(1 / 0.7)]).toContain(value);
    expect(
      await values(cpu, (x, k) => dropout(x!, 0, k!), spread([3], 0, 1, 1), Rng.fromSeed(3).key()),
    ).toEqual(Array.from(spread([3], 0, 1, 1).data));
  });

  test('dropout refuses a rate of 1', async () => {
    await expect(
      values(cpu, (x, k) => dropout(x!, 1, k!), ndarray([1]), Rng.fromSeed(3).key()),
    ).rejects.toThrow('A dropout rate lies in [0, 1), but 1 was given.');
  });
});

describe('cross-entropy', () => {
  test('of uniform logits is the logarithm of the number of classes, smoothed or not', async () => {
    const logits = ndarray(new Float32Array(15).fill(2), [3, 5]);
    const labels = ndarray([0, 3, 4], [3], 'int32');
    for (const labelSmoothing of [0, 0.3]) {
      const [loss] = await values(cpu, (x, y) => crossEntropy(x!, y!, { labelSmoothing }), logits, labels);
      expect(loss).toBeCloseTo(Math.log(5), 6);
    }
  });

  test('stays finite for huge logits', async () => {
    const logits = ndarray([1e4, -1e4, 0], [1, 3]);
    const [loss] = await values(cpu, (x, y) => crossEntropy(x!, y!), logits, ndarray([1], [1], 'int32'));
    expect(loss).toBe(20_000);
  });

  test('ignored rows do not count, and none left gives 0', async () => {
    const logits = spread([3, 4], -1, 1, 2);
    const one = await values(
      cpu,
      (x, y) => crossEntropy(tf.slice(x!, [1, 0], [1, 4]), tf.slice(y!, 1, 1)),
      logits,
      ndarray([0, 2, 1], [3], 'int32'),
    );
    const masked = await values(
      cpu,
      (x, y) => crossEntropy(x!, y!, { ignoreIndex: -1 }),
      logits,
      ndarray([-1, 2, -1], [3], 'int32'),
    );
    expect(masked[0]).toBeCloseTo(one[0]!, 6);
    const none = ndarray([-1, -1, -1], [3], 'int32');
    expect(
      await values(cpu, (x, y) => tf.abs(crossEntropy(x!, y!, { ignoreIndex: -1 })), logits, none),
    ).toEqual([0]);
  });

  test('refuses shapes that do not fit', async () => {
    await expect(
      values(cpu, (x, y) => crossEntropy(x!, y!), spread([3, 4], 0, 1, 1), ndarray([1], [1], 'int32')),
    ).rejects.toThrow(
      'Cross-entropy needs logits [rows, classes] and labels [rows], but got [3, 4] and [1].',
    );
  });
});

test('a causal mask shows a query its own position and what lies before, shifted by what a cache holds', () => {
  expect(Array.from(causalMask(2).dataSync())).toEqual([0, MASKED, 0, 0]);
  expect(Array.from(causalMask(2, 4).dataSync())).toEqual([0, 0, 0, MASKED, 0, 0, 0, 0]);
});

test('rotary angles keep their digits at long positions', () => {
  const { cos } = rotaryTable([1_000_003], 4);
  expect(cos.dataSync()[0]).toBeCloseTo(Math.cos(1_000_003), 7);
  expect(cos.dataSync()[1]).toBeCloseTo(Math.cos(10_000.03), 7);
});
