import { expect, test } from 'vitest';
import { type Graph, GraphCache, type GraphTable } from '../src/engines/graph-cache.js';

/** A graph that notes its release and cannot be used afterwards. */
class FakeGraph implements Graph {
  isReleased = false;
  constructor(
    readonly name: string,
    readonly bytes: number,
  ) {}
  async release() {
    if (this.isReleased) throw new Error(`${this.name} was released twice`);
    this.isReleased = true;
  }
  async run<T>(result: T): Promise<T> {
    for (let turn = 0; turn < 3; turn++) {
      if (this.isReleased) throw new Error(`${this.name} was used after its release`);
      await new Promise(setImmediate);
    }
    return result;
  }
}

function harness(limit: number) {
  const cache = new GraphCache<FakeGraph>(limit);
  const table: GraphTable<FakeGraph> = new Map();
  const built: FakeGraph[] = [];
  const use = (name: string, bytes = 10) =>
    cache.use(
      table,
      name,
      async () => {
        await new Promise(setImmediate);
        const graph = new FakeGraph(name, bytes);
        built.push(graph);
        return graph;
      },
      (graph) => graph.run(name),
    );
  const alive = () => built.filter(({ isReleased }) => !isReleased).map(({ name }) => name);
  return { cache, table, built, use, alive };
}

test('the graph that was not used for the longest time goes first, and is built again when it is asked for', async () => {
  const { cache, built, use, alive } = harness(30);
  for (const name of ['a', 'b', 'c', 'a', 'd']) expect(await use(name)).toBe(name);
  expect(alive().sort()).toEqual(['a', 'c', 'd']);
  expect([cache.count, cache.bytes]).toEqual([3, 30]);
  await use('b');
  expect(alive().sort()).toEqual(['a', 'b', 'd']);
  expect(built.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'b']);
});

test('the graph used last stays even when it alone is over the limit', async () => {
  const { cache, built, use } = harness(5);
  await use('a');
  await use('a');
  expect([built.length, cache.count, cache.bytes]).toEqual([1, 1, 10]);
  await use('b');
  expect([built.length, cache.count, cache.bytes]).toEqual([2, 1, 10]);
});

test('graphs in use are never released under their users, whatever the order', async () => {
  const { cache, use, built } = harness(20);
  const names = Array.from({ length: 60 }, (_, index) => `g${(index * 7) % 11}`);
  expect(await Promise.all(names.map((name) => use(name)))).toEqual(names);
  expect(cache.bytes).toBeLessThanOrEqual(20);
  expect(built.filter(({ isReleased }) => !isReleased).length).toBe(cache.count);
});

test('clearing while graphs are built and used leaves nothing behind and breaks nobody', async () => {
  const { cache, table, use, alive } = harness(1000);
  await use('idle');
  const running = ['a', 'b', 'a'].map((name) => use(name));
  await cache.clear(table);
  expect(await Promise.all(running)).toEqual(['a', 'b', 'a']);
  expect(alive()).toEqual([]);
  expect([cache.count, cache.bytes, table.size]).toEqual([0, 0, 0]);
});

test('a graph that could not be built is forgotten', async () => {
  const { cache, table, use } = harness(1000);
  const failing = () =>
    cache.use(
      table,
      'a',
      () => Promise.reject(new Error('no')),
      async () => 1,
    );
  await expect(Promise.all([failing(), failing()])).rejects.toThrow('no');
  expect([table.size, cache.count]).toEqual([0, 0]);
  expect(await use('a')).toBe('a');
});
