import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CellSpecInput } from '../../../src/cells/cell.js';
import { queueExecutor } from '../../../src/cells/queue/queue-executor.js';
import { runQueueWorker } from '../../../src/cells/queue/queue-worker.js';
import { ResultStore } from '../../../src/cells/result-store.js';
import { runSweep, type SweepOptions } from '../../../src/cells/sweep.js';
import { emptyFolder, linesOf, plugins, registry, toyCells, versions } from '../../cells/support/cells.js';
import { type RedisServer, startRedis, untilPrinted } from './support/redis-server.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const program = fileURLToPath(new URL('./support/worker.mjs', import.meta.url));
const workers: ChildProcess[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => end(worker, 'SIGKILL')));
});

/** Starts a worker with a result folder of its own. */
async function startWorker(
  queue: string,
  options: object = {},
): Promise<{ child: ChildProcess; folder: string }> {
  const folder = emptyFolder();
  const settings = {
    redis: server.url,
    queue,
    folder,
    versions,
    workers: 1,
    stalledAfterSeconds: 1,
    ...options,
  };
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  workers.push(child);
  await untilPrinted(child, /^ready/m);
  return { child, folder };
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill(signal);
  });
}

async function sweep(queue: string, cells: readonly CellSpecInput[], options: Partial<SweepOptions> = {}) {
  const store = await ResultStore.open(emptyFolder());
  const executor = queueExecutor({ redis: server.url, queue, versions, attempts: 2 });
  return {
    store,
    ...(await runSweep({ registry, store, executor, cells, engine: 'cpu', versions, ...options })),
  };
}

const list = async (folder: string) => (await ResultStore.openExisting(folder)).list();
const started = (log: string) => linesOf(log).filter((line) => line.startsWith('start'));
const ended = (log: string) => linesOf(log).filter((line) => line.startsWith('end'));

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 600) throw new Error('It did not happen within 30 s.');
    await sleep(50);
  }
}

describe('cells on a queue', () => {
  it('are computed once each by whichever worker is free; results come back and stay with the worker', async () => {
    const log = join(emptyFolder(), 'log');
    const both = [await startWorker('share'), await startWorker('share')];
    const { results, store, done } = await sweep('share', toyCells(4, 'sum', { log, sleep: 200 }));
    expect(done).toBe(4);
    expect(results.map(({ outcome }) => outcome!.metrics[0]!.value)).toEqual([6, 7, 8, 9]);
    const kept = await Promise.all(both.map(({ folder }) => list(folder)));
    expect(kept.every((own) => own.length > 0)).toBe(true);
    expect(kept.flat().sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual(await store.list());
    expect(started(log)).toHaveLength(4);
  });

  it('are finished by another worker when the first is killed in the middle of one; there is one result', async () => {
    const log = join(emptyFolder(), 'log');
    const first = await startWorker('killed');
    const running = sweep('killed', toyCells(1, 'sum', { log, sleep: 1500 }));
    await until(() => started(log).length === 1);
    await end(first.child, 'SIGKILL');
    const second = await startWorker('killed');
    const { results, store } = await running;
    expect(results).toMatchObject([{ status: 'done', outcome: { metrics: [{ value: 6 }] } }]);
    expect(await store.list()).toEqual(results);
    expect(await list(second.folder)).toEqual(results);
    expect(await list(first.folder)).toEqual([]);
    // Begun twice, ended once: the killed worker's cell process ended with it.
    expect([started(log).length, ended(log).length]).toEqual([2, 1]);
  });

  it('go back to the queue when a worker is told to end', async () => {
    const log = join(emptyFolder(), 'log');
    const first = await startWorker('leaving');
    const running = sweep('leaving', toyCells(1, 'sum', { log, sleep: 1500 }));
    await until(() => started(log).length === 1);
    await end(first.child, 'SIGTERM');
    expect(first.child.exitCode).toBe(0);
    await startWorker('leaving');
    expect((await running).results).toMatchObject([{ status: 'done' }]);
    expect([started(log).length, ended(log).length]).toEqual([2, 1]);
  });

  it('are begun again when their process crashes, and then reported; what fails by itself is reported at once', async () => {
    const logs = [join(emptyFolder(), 'log'), join(emptyFolder(), 'log')] as const;
    await startWorker('crash');
    const cells = [
      ...toyCells(1, 'crash', { how: 'exit', log: logs[0] }),
      ...toyCells(1, 'crash', { how: 'throw', log: logs[1] }),
      ...toyCells(1),
    ];
    const { results } = await sweep('crash', cells);
    expect(results.map(({ status, error }) => [status, error])).toEqual([
      ['failed', 'The process of the cell ended with code 7.'],
      ['failed', 'The toy is broken.'],
      ['done', undefined],
    ]);
    expect(logs.map((log) => started(log).length)).toEqual([2, 1]);
    // Asked for again, what failed is tried again.
    await sweep('crash', cells);
    expect(logs.map((log) => started(log).length)).toEqual([4, 2]);
  });

  it('are shared by sweeps that ask for the same ones, at the same time or later', async () => {
    const log = join(emptyFolder(), 'log');
    const cells = toyCells(2, 'sum', { log, sleep: 200 });
    const two = [sweep('same', cells), sweep('same', cells)];
    await startWorker('same');
    const [first, second] = await Promise.all(two);
    expect(first!.results).toEqual(second!.results);
    expect((await sweep('same', cells)).results).toEqual(first!.results);
    expect(started(log)).toHaveLength(2);
  });

  it('are all computed when the server comes back without its data', async () => {
    const log = join(emptyFolder(), 'log');
    const own = await startRedis();
    const queue = 'lost';
    const options = { redis: own.url, queue };
    const store = await ResultStore.open(emptyFolder());
    const executor = queueExecutor({ ...options, versions, attempts: 2, lookSeconds: 0.3 });
    await startWorker(queue, options);
    const cells = toyCells(3, 'sum', { log, sleep: 800 });
    const running = runSweep({ registry, store, executor, cells, engine: 'cpu', versions });
    await until(() => started(log).length === 1);
    await own.restart();
    const { done } = await running;
    expect(done).toBe(3);
    expect(await store.list()).toHaveLength(3);
    await own.stop();
  });

  it('that nobody has begun are withdrawn when the sweep is interrupted', async () => {
    const abort = new AbortController();
    const running = sweep('withdrawn', toyCells(3), {
      signal: abort.signal,
      onEvent: (event) => event.type === 'plan' && setTimeout(() => abort.abort(), 500),
    });
    expect(await running).toMatchObject({ interrupted: true, done: 0 });
    // A worker that comes now finds nothing to do.
    const worker = await startWorker('withdrawn', { idleSeconds: 1 });
    await new Promise((resolve) => worker.child.once('close', resolve));
    expect(await list(worker.folder)).toEqual([]);
  });

  it('are left to others by a worker with other versions', async () => {
    await startWorker('versions', { versions: { '@palimpsest/harness': 'other' } });
    const { results } = await sweep('versions', toyCells(1));
    expect(results[0]!.error).toMatch(/^The worker on .* has other versions of the packages than the sweep;/);
  });
});

describe('a queue that cannot be used', () => {
  it('is one in a database that the server does not have; others are left alone', async () => {
    const options = { redis: `${server.url}/99`, queue: 'nowhere', versions };
    await expect(runQueueWorker({ ...options, registry, plugins })).rejects.toThrow(
      /cannot be used \(ERR DB index is out of range\)/,
    );
    const { Redis } = await import('ioredis');
    const client = new Redis(server.url);
    expect(await client.keys('*nowhere*')).toEqual([]);
    client.disconnect();
  });

  it.each([
    [
      'redis://127.0.0.1:1',
      'q',
      /^The Redis server redis:\/\/127\.0\.0\.1:1 cannot be used \(.*ECONNREFUSED.*\); start one, or give another --redis\.$/,
    ],
    [
      'localhost:6379',
      'q',
      /^A Redis server is given as redis:\/\/host:port, but 'localhost:6379' was given\.$/,
    ],
    ['redis://127.0.0.1:1/foo', 'q', /^The address of a Redis server ends in the number .* 'foo' was given/],
    ['redis://127.0.0.1:1/1/2', 'q', /^The address of a Redis server ends in the number .* '1\/2' was given/],
    ['redis://127.0.0.1:1', 'a:b', /^A queue's name is made of letters, digits/],
  ])('is refused in one sentence: %s %s', async (redis, queue, sentence) => {
    const options = { redis, queue, versions };
    await expect(runQueueWorker({ ...options, registry, plugins })).rejects.toThrow(sentence);
    const store = await ResultStore.open(emptyFolder());
    const executor = queueExecutor(options);
    const cells = toyCells(1);
    await expect(runSweep({ registry, store, executor, cells, engine: 'cpu', versions })).rejects.toThrow(
      sentence,
    );
  });
});
