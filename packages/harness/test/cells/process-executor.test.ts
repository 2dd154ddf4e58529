import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CellSpecInput } from '../../src/cells/cell.js';
import { processExecutor } from '../../src/cells/process-executor.js';
import { ResultStore } from '../../src/cells/result-store.js';
import { runSweep, type SweepOptions } from '../../src/cells/sweep.js';
import { emptyFolder, linesOf, plugins, registry, toyCells, versions } from './support/cells.js';

async function sweep(
  cells: readonly CellSpecInput[],
  settings: Partial<Parameters<typeof processExecutor>[0]> = {},
  options: Partial<SweepOptions> = {},
) {
  const store = await ResultStore.open(emptyFolder());
  const executor = processExecutor({ versions, plugins, workers: 2, threads: 2, ...settings });
  return {
    store,
    ...(await runSweep({ registry, store, executor, cells, engine: 'cpu', versions, ...options })),
  };
}

const crashes = (...ways: string[]) => ways.flatMap((how) => toyCells(1, 'crash', { how }));

describe('processExecutor', () => {
  it('computes cells side by side in processes of their own, with what this process would find', async () => {
    const notes: string[] = [];
    const { results, store } = await sweep(
      toyCells(2, 'sum', { terms: 4, sleep: 150 }),
      {},
      {
        onEvent: (event) => event.type === 'progress' && notes.push(`${event.fraction} ${event.note}`),
      },
    );
    expect(results.map(({ outcome }) => outcome!.metrics[0]!.value)).toEqual([10, 11]);
    expect(results[0]).toMatchObject({
      status: 'done',
      outcome: { modelConfig: { width: 8, learningRate: 0.01 } },
      provenance: { versions, engine: { name: 'cpu' } },
    });
    expect(results[0]!.peakMemoryBytes).toBeGreaterThan(2 ** 24);
    expect(notes).toEqual(['0.5 half way', '0.5 half way']);
    expect(await store.list()).toHaveLength(2);
  });

  it('reports each way to die in one sentence, and does the rest', async () => {
    const cells = [...crashes('throw', 'exit', 'signal', 'kill', 'uncaught'), ...toyCells(1)];
    const { results, done, failed } = await sweep(cells);
    expect({ done, failed }).toEqual({ done: 1, failed: 5 });
    expect(results.map(({ error }) => error)).toEqual([
      'The toy is broken.',
      'The process of the cell ended with code 7.',
      'The process of the cell was ended by SIGSEGV.',
      'The process of the cell was killed with SIGKILL, as systems do when memory runs out.',
      'The process of the cell ended with code 1: TypeError: nobody catches this.',
      undefined,
    ]);
    expect(results[1]!.provenance.engine).toMatchObject({ name: 'cpu', device: 'JavaScript' });
  });

  it('reports a cell that runs out of memory', async () => {
    const { results } = await sweep(crashes('memory'), { nodeArguments: ['--max-old-space-size=64'] });
    expect(results[0]).toMatchObject({
      status: 'failed',
      error: 'The process of the cell ran out of memory.',
    });
  });

  it('ends a cell that takes too long', async () => {
    const { results } = await sweep([...crashes('hang'), ...toyCells(1)], { timeoutSeconds: 12 });
    expect(results.map(({ status }) => status)).toEqual(['failed', 'done']);
    expect(results[0]!.error).toBe('The cell took longer than the 12 s that it was given, and was ended.');
  });

  it('gives the machine to one cell at a time when it measures time', async () => {
    const log = join(emptyFolder(), 'log');
    const cells = [...toyCells(2, 'clock', { log, sleep: 60 }), ...toyCells(2, 'sum', { log, sleep: 60 })];
    await sweep(cells);
    const order = linesOf(log).map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(order.slice(0, 4).sort()).toEqual(['end sum', 'end sum', 'start sum', 'start sum']);
    expect(order.slice(4)).toEqual(['start clock', 'end clock', 'start clock', 'end clock']);
  });

  it('ends its processes when it is interrupted, and keeps what was finished', async () => {
    const log = join(emptyFolder(), 'log');
    const abort = new AbortController();
    const cells = [...toyCells(1), ...toyCells(2, 'sum', { log, sleep: 60_000 })];
    const { results, interrupted } = await sweep(
      cells,
      { workers: 3 },
      {
        signal: abort.signal,
        onEvent: (_, { done, running }) => {
          if (done === 1 && running === 2 && linesOf(log).length === 2) abort.abort();
        },
      },
    );
    expect(interrupted).toBe(true);
    expect(results).toHaveLength(1);
    expect(linesOf(log).filter((line) => line.startsWith('end'))).toEqual([]);
  });
});
