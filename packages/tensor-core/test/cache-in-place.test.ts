import { afterAll, describe, expect, test } from 'vitest';
import { cachedAttention, type DeviceArray, type Engine, ndarray, Rng, tf, zeros } from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

type Caches = { keys: tf.Tensor; values: tf.Tensor };
const [heads, capacity, width] = [2, 6, 8];

async function decode(engine: Engine, donate: readonly number[]) {
  const step = engine.compile(
    (packed: tf.Tensor, caches: Caches, position: tf.Tensor) =>
      cachedAttention(packed, caches, position, heads),
    { donate },
  );
  const rng = Rng.fromSeed(1);
  const slots = () => zeros([1, heads, capacity, width]);
  let caches = engine.put({ keys: slots(), values: slots() }) as { keys: DeviceArray; values: DeviceArray };
  const reads: number[][] = [];
  for (let position = 0; position < capacity; position++) {
    const packed = rng.normalArray([1, 3 * heads * width]);
    const { read, cache } = await step(packed, caches as never, ndarray(position, [], 'int32'));
    reads.push(Array.from(await read.data()));
    read.dispose();
    if (donate.length === 0) for (const array of Object.values(caches)) array.dispose();
    caches = cache;
  }
  const keys = Array.from(await caches.keys.data());
  for (const array of Object.values(caches)) array.dispose();
  await step.dispose();
  return { reads, keys };
}

describe.each(engines.map((engine) => [engine.name, engine] as const))('on %s', (_name, engine) => {
  test('a donated cache is updated in place, with the same numbers and nothing left behind', async () => {
    const before = engine.memory().arrays;
    expect(await decode(engine, [1])).toEqual(await decode(engine, []));
    expect(engine.memory().arrays).toBe(before);
  });

  test('a cache that two arguments share is not written over', async () => {
    const step = engine.compile(
      (packed: tf.Tensor, first: Caches, second: Caches, position: tf.Tensor) => ({
        first: cachedAttention(packed, first, position, heads).cache,
        second: tf.add(second.keys, 0),
      }),
      { donate: [1, 2] },
    );
    const rng = Rng.fromSeed(2);
    const keys = rng.normalArray([1, heads, capacity, width]);
    const caches = engine.put({ keys, values: zeros([1, heads, capacity, width]) }) as never;
    const result = await step(
      rng.normalArray([1, 3 * heads * width]),
      caches,
      caches,
      ndarray(2, [], 'int32'),
    );
    expect(Array.from(await result.second.data())).toEqual(Array.from(keys.data));
    for (const array of [result.first.keys, result.first.values, result.second]) array.dispose();
    await step.dispose();
  });
});
