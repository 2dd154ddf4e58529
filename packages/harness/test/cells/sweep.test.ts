import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inProcessExecutor } from '../../src/cells/in-process-executor.js';
import { ResultStore } from '../../src/cells/result-store.js';
import { isInShard, parseShard } from '../../src/cells/shard.js';
import { runSweep, type SweepEvent, type SweepOptions, type SweepStatus } from '../../src/cells/sweep.js';
import { emptyFolder, linesOf, registry, toyCells, versions } from './support/cells.js';

async function sweep(folder: string, options: Partial<SweepOptions> & Pick<SweepOptions, 'cells'>) {
  const store = await ResultStore.open(folder);
  const executor = inProcessExecutor(registry, { versions });
  return runSweep({ registry, store, executor, engine: 'cpu', versions, ...options });
}

describe('runSweep', () => {
  it('computes every cell once, and nothing again', async () => {
    const folder = emptyFolder();
    const log = join(emptyFolder(), 'log');
    const cells = toyCells(4, 'sum', { log });
    const first = await sweep(folder, { cells: [...cells, ...cells] });
    expect(first).toMatchObject({ total: 4, done: 4, failed: 0, computed: 4, interrupted: false });
    expect(first.results.map(({ outcome }) => outcome!.metrics[0]!.value)).toEqual([6, 7, 8, 9]);
    const second = await sweep(folder, { cells });
    expect(second).toMatchObject({ total: 4, done: 4, computed: 0 });
    expect(second.results).toEqual(first.results);
    expect(linesOf(log).filter((line) => line.startsWith('start'))).toHaveLength(4);
    expect(await sweep(folder, { cells, resume: false })).toMatchObject({ computed: 4 });
  });

  it('goes on where it was interrupted: what was finished is kept and not repeated', async () => {
    const folder = emptyFolder();
    const log = join(emptyFolder(), 'log');
    const cells = toyCells(5, 'sum', { log, sleep: 5 });
    const abort = new AbortController();
    const onEvent = (event: SweepEvent, { done }: SweepStatus) => {
      if (event.type === 'progress' && done === 2) abort.abort();
    };
    const first = await sweep(folder, { cells, signal: abort.signal, onEvent });
    expect(first).toMatchObject({ total: 5, done: 2, computed: 2, interrupted: true });
    const second = await sweep(folder, { cells });
    expect(second).toMatchObject({ total: 5, done: 5, computed: 3, interrupted: false });
    const ends = linesOf(log).filter((line) => line.startsWith('end'));
    expect(ends.map((line) => line.split(' ')[2]).sort()).toEqual(['0', '1', '2', '3', '4']);
  });

  it('reports a cell that fails, goes on, and tries it again the next time unless told otherwise', async () => {
    const folder = emptyFolder();
    const log = join(emptyFolder(), 'log');
    const cells = [
      ...toyCells(1, 'crash', { log }),
      ...toyCells(1, 'crash', { how: 'nonsense' }),
      ...toyCells(2),
    ];
    const first = await sweep(folder, { cells });
    expect(first).toMatchObject({ total: 4, done: 2, failed: 2, computed: 4 });
    expect(first.results[0]).toMatchObject({ status: 'failed', error: 'The toy is broken.' });
    expect(first.results[1]!.error).toMatch(
      /^The task reported something that is no outcome: metrics\.0\.value: /,
    );
    expect(await sweep(folder, { cells, retryFailed: false })).toMatchObject({ failed: 2, computed: 0 });
    expect(await sweep(folder, { cells })).toMatchObject({ failed: 2, computed: 2 });
    expect(linesOf(log).filter((line) => line.startsWith('start'))).toHaveLength(2);
  });

  it('tells what is planned, running and left', async () => {
    const events: [string, SweepStatus][] = [];
    await sweep(emptyFolder(), {
      cells: toyCells(3, 'sum', { sleep: 20 }),
      onEvent: (event, status) => events.push([event.type, status]),
    });
    expect(events.map(([type]) => type)).toEqual([
      'plan',
      ...Array(3).fill(['start', 'progress', 'result']).flat(),
    ]);
    expect(events[1]![1]).toMatchObject({ total: 3, done: 0, running: 1, secondsLeft: undefined });
    // One of three measured: two like it are left.
    const { secondsLeft, ...counts } = events[3]![1];
    expect(counts).toEqual({ total: 3, done: 1, failed: 0, running: 0 });
    expect(secondsLeft).toBeGreaterThan(0.035);
    expect(secondsLeft).toBeLessThan(1);
    expect(events.at(-1)![1]).toEqual({ total: 3, done: 3, failed: 0, running: 0, secondsLeft: 0 });
  });

  it('says what is wrong with a cell before anything is computed', async () => {
    const log = join(emptyFolder(), 'log');
    const cells = [...toyCells(1, 'sum', { log }), ...toyCells(1, 'sun')];
    await expect(sweep(emptyFolder(), { cells })).rejects.toThrow(
      "There is no task 'sun' (did you mean 'sum'?)",
    );
    expect(linesOf(log)).toEqual([]);
  });
});

describe('shards', () => {
  it('are the whole together, without overlap', async () => {
    const cells = toyCells(30);
    const keys = (await sweep(emptyFolder(), { cells })).results.map(({ key }) => key);
    for (const count of [1, 2, 3, 7]) {
      const parts = await Promise.all(
        Array.from({ length: count }, (_, index) =>
          sweep(emptyFolder(), { cells, shard: { index: index + 1, count } }),
        ),
      );
      const computed = parts.flatMap(({ results }) => results.map(({ key }) => key));
      expect(computed.sort()).toEqual([...keys].sort());
      expect(parts.filter(({ total }) => total > 0).length).toBeGreaterThan(count / 2);
    }
  });

  it('are known by the key alone', () => {
    const key = '0000000000003'.padEnd(64, 'f');
    expect([1, 2, 3, 4].map((index) => isInShard(key, { index, count: 4 }))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it('are read from i/n, and from nothing else', () => {
    expect(parseShard('2/8')).toEqual({ index: 2, count: 8 });
    for (const text of ['0/8', '9/8', '2', '2/0', 'a/b', '1/2/3', '-1/2']) {
      expect(() => parseShard(text)).toThrow(
        `A shard is written i/n with i from 1 to n, as 2/8, but '${text}' was given.`,
      );
    }
  });
});
